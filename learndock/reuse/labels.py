"""Rows of the user's task whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.reuse.member import Inputs


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled rows.

    Attributes
    ----------
    inputs
        Rows [n, ...] or texts.
    truth
        Class indices [n] in the first member's order of classes, or numbers [n] or [n, c].

    Raises
    ------
    InvalidInput
        There is none, or not one label a row (SHAPE_MISMATCH), or a label is no finite number (NOT_FINITE).
    """

    inputs: Inputs
    truth: NDArray[np.generic]

    def __post_init__(self) -> None:
        truth = np.asarray(self.truth)
        if truth.ndim == 0 or not len(truth) or len(truth) != len(self.inputs):
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"There must be a label for each of {len(self.inputs)} rows, not {list(truth.shape)}.",
                field="labels",
            )
        if not (np.issubdtype(truth.dtype, np.number) and np.isfinite(truth).all()):
            raise InvalidInput(Reason.NOT_FINITE, "Labels must be finite numbers.", field="labels")
        object.__setattr__(self, "truth", truth)
