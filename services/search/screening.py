"""A first look in single precision, several times as fast as the exact distance, with a bound of its error.

Rounding is bounded by the usual worst case: a sum of n products in single precision is wrong by at most n u times the
sum of their magnitudes, whatever the order (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section
3.1), u being 2^-24. Distances do not change when both sides are shifted, so both are taken from the task's mean,
rounded to single precision: the nearer a learnware lies, the smaller are the numbers, and the bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import facing, widened
from services.search import scoring
from services.search.entry import Placed
from services.search.scoring import BLOCK, Stack, Task

_UNIT = 2.0**-24
# Roundings on the way from atoms to the terms of a squared distance, and from that to a kernel's value.
_ROUNDINGS = 12
_VALUE_ROUNDINGS = 6


@dataclass(frozen=True, eq=False)
class Estimates:
    """MMD2 of learnwares to a task, nearly.

    Attributes
    ----------
    values
        Estimates, float64 [n].
    errors
        How far they may be off at most, float64 [n].
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def least(self) -> NDArray[np.float64]:
        """Lower bounds of the exact distances."""
        return self.values - self.errors

    @property
    def most(self) -> NDArray[np.float64]:
        """Upper bounds of the exact distances."""
        return self.values + self.errors


class Screen:
    """A task, ready to be compared in single precision.

    Parameters
    ----------
    task
        The task.
    """

    def __init__(self, task: Task) -> None:
        scaler, kernel = task.profile.scaler, task.profile.kernel
        count, width = task.atoms.shape
        self._task = task
        self._kernel = kernel
        self._shift = scaler.inverse(task.weights @ task.atoms).astype(np.float32)
        self._unit_squares = task.per_square.astype(np.float32)
        rows = widened(task.atoms, (self._shift - scaler.center) / scaler.scale)
        self._columns = facing(rows, 1.0 / scaler.scale).astype(np.float32)
        self._weights = task.weights.astype(np.float32)
        mean_gamma = float(np.mean(kernel.gammas))
        self._spread = float(task.weights @ rows[:, -2])
        self._per_square = 8.0 * (2 * width + _ROUNDINGS) * _UNIT * mean_gamma
        self._whatever = 2.0 * _UNIT * (count + _VALUE_ROUNDINGS * (1.0 + mean_gamma / min(kernel.gammas)))

    def look(self, learnwares: Sequence[Placed]) -> Estimates:
        """Estimates of the MMD2 of learnwares to the task, exact where nothing else is known; O(n K^2 d)."""
        blocks = [self._look(learnwares[start : start + BLOCK]) for start in range(0, len(learnwares), BLOCK)]
        products, squares = np.concatenate([np.zeros((2, 0)), *blocks], axis=1)
        values = np.array([placed.norm for placed in learnwares]) - 2.0 * products + self._task.norm
        errors = self._whatever + self._per_square * (squares + self._spread)
        unknown = np.flatnonzero(~np.isfinite(values + errors))
        if len(unknown):
            values[unknown] = scoring.mmd2(self._task, [learnwares[position] for position in unknown.tolist()])
            errors[unknown] = 0.0
        return Estimates(values, errors)

    def _look(self, block: Sequence[Placed]) -> NDArray[np.float64]:
        """Inner products with the task, and weighted mean squares, float64 [2, n]."""
        stack = Stack.of(block)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told to be unknown
            rows = widened(stack.atoms, self._shift, self._unit_squares)
            per_atom = self._kernel.sums(rows, self._columns, self._weights)
        return np.stack([stack.summed(one.astype(np.float64)) for one in (per_atom, rows[:, -2])])
