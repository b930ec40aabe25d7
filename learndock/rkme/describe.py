"""What a specification holds, in a few numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.specification import Specification


@dataclass(frozen=True, eq=False)
class Description:
    """A specification at a glance.

    Attributes
    ----------
    atom_count
        Number of atoms, K.
    dimension
        Dimension of the atoms, d.
    effective_atom_count
        1 / sum of squared weights: K where all weigh the same, 1 where one weighs all.
    column_means
        Mean of each column, float64 [d].
    column_deviations
        Standard deviation of each column, float64 [d]; of the atoms, so a little below that of the data.
    """

    atom_count: int
    dimension: int
    effective_atom_count: float
    column_means: NDArray[np.float64]
    column_deviations: NDArray[np.float64]


def describe(specification: Specification) -> Description:
    """Description of a specification."""
    atoms, weights = specification.atoms.astype(np.float64), specification.weights
    means = weights @ atoms
    return Description(
        atom_count=specification.atom_count,
        dimension=specification.dimension,
        effective_atom_count=float(1.0 / (weights @ weights)),
        column_means=means,
        column_deviations=np.sqrt(weights @ (atoms - means) ** 2),
    )
