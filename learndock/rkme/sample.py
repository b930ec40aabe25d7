"""Points that stand for the distribution which a specification summarises."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import RobustScaler, median_gamma, squared_distances
from learndock.rkme.objective import gaussian_block
from learndock.rkme.specification import MAX_NUMBERS, Specification

MAX_POINTS = 10_000

_CANDIDATES_PER_POINT = 20
_MAX_CANDIDATES = 2 * MAX_POINTS
# Candidates lie around an atom at about this share of the distance to the next one.
_SPREAD = 0.5


def herd(specification: Specification, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Points whose equally weighted embedding follows the specification's, by kernel herding.

    Out of candidates scattered around the atoms, each step takes the one that brings the mean of what was taken nearest
    to the specification: argmax_x mu(x) - sum_s k(x, x_s) / (t + 1). The error falls like 1/t rather than
    1/sqrt(t) as for random draws. The kernel is Gaussian with the median rule's width on robustly scaled atoms. A
    single atom tells no spread: it is repeated.

    Parameters
    ----------
    specification
        What to sample.
    count
        Points wanted, 1 to 10,000 and at most 4,194,304 numbers.
    generator
        Source of the candidates.

    Returns
    -------
    NDArray[np.float32]
        Points [count, d] in the units of the atoms; O(min(20 count, 20,000) count d).

    Raises
    ------
    InvalidInput
        `count` is out of bounds.

    Notes
    -----
    Source: Chen, Welling and Smola, Super-samples from kernel herding, UAI 2010.
    """
    if not 1 <= count <= min(MAX_POINTS, MAX_NUMBERS // specification.dimension):
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"Points must be 1 to {MAX_POINTS} and hold {MAX_NUMBERS} numbers at most, not {count}"
            f" of {specification.dimension}.",
            field="count",
        )
    scaler = RobustScaler.fit(specification.atoms)
    atoms = scaler.transform(specification.atoms)
    gamma = median_gamma(atoms, generator=generator)
    candidates = _candidates(atoms, specification.weights, count, generator)
    embedding = specification.weights @ gaussian_block(atoms.astype(np.float32), candidates, gamma)
    return scaler.inverse(candidates[_herded(candidates, embedding, count, gamma)]).astype(np.float32)


def _candidates(
    atoms: NDArray[np.float64], weights: NDArray[np.float64], count: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Draws from a mixture of Gaussians around the atoms, [m, d]."""
    size = min(_CANDIDATES_PER_POINT * count, _MAX_CANDIDATES)
    around = generator.choice(len(atoms), size=size, p=weights)
    d2 = squared_distances(atoms, atoms)
    apart = d2[d2 > 0]
    d2[d2 == 0] = np.inf
    nearest = np.median(np.sqrt(d2.min(axis=1))) if apart.size else 0.0
    varies = np.ptp(atoms, axis=0) > 0  # a constant column stays what it is
    deviation = _SPREAD * nearest / np.sqrt(max(1, varies.sum()))
    noise = generator.normal(size=(size, atoms.shape[1])) * varies
    return np.asarray(atoms[around] + deviation * noise, dtype=np.float32)


def _herded(
    candidates: NDArray[np.float32], embedding: NDArray[np.float64], count: int, gamma: float
) -> NDArray[np.intp]:
    """Indices of the candidates that are taken, in order."""
    taken = np.empty(count, dtype=np.intp)
    crowding = np.zeros(len(candidates))
    free = np.zeros(len(candidates))  # minus infinity once taken
    for step in range(count):
        taken[step] = chosen = int((embedding - crowding / (step + 1) + free).argmax())
        free[chosen] = -np.inf
        crowding += gaussian_block(candidates[chosen : chosen + 1], candidates, gamma)[0]
    return taken
