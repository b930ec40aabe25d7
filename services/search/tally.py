"""What was scored so far in a search, nearly or exactly, and which are the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import math

import numpy as np

from services.search import scoring
from services.search.entry import Placed
from services.search.scoring import Task
from services.search.screening import Screen

# Scoring ends this long before the deadline, in seconds: the answer must still be written and sent.
RESERVE = 0.05


@dataclass(frozen=True, eq=False)
class Scored:
    """A learnware with its exact distance to the task."""

    placed: Placed
    mmd2: float

    @property
    def order(self) -> tuple[float, str]:
        """Key to rank by: nearest first, ties by id."""
        return self.mmd2, self.placed.entry.learnware_id


class Tally:
    """Learnwares that were scored, each with bounds of its exact distance.

    The first k are computed exactly: where they come in the order of lower bounds, most stay among the best. The others
    are only looked at in single precision; `settle` computes exactly those that may be among the best k.

    Parameters
    ----------
    task
        The task.
    k
        How many are wanted.
    exactly
        Whether to compute all exactly at once.
    """

    def __init__(self, task: Task, k: int, *, exactly: bool) -> None:
        self._task = task
        self._k = k
        self._screen = None if exactly else Screen(task)
        self._learnwares: list[Placed] = []
        self._values: list[float] = []
        self._errors: list[float] = []
        self._least: list[float] = []  # the k least lower and upper bounds, ascending
        self._most: list[float] = []

    def __len__(self) -> int:
        return len(self._learnwares)

    @property
    def least_kth(self) -> float:
        """A lower bound of the k-th best distance so far; infinite before k are scored."""
        return self._least[-1] if len(self._least) == self._k else math.inf

    @property
    def most_kth(self) -> float:
        """An upper bound of it."""
        return self._most[-1] if len(self._most) == self._k else math.inf

    def add(self, learnwares: Sequence[Placed]) -> None:
        """Score some more."""
        if self._screen is None or len(self) < self._k:
            values = scoring.mmd2(self._task, learnwares)
            errors = np.zeros(len(values))
        else:
            looked = self._screen.look(learnwares)
            values, errors = looked.values, looked.errors
        self._learnwares += learnwares
        self._values += values.tolist()
        self._errors += errors.tolist()
        self._least = sorted((*self._least, *(values - errors).tolist()))[: self._k]
        self._most = sorted((*self._most, *(values + errors).tolist()))[: self._k]

    def settle(self, time_left: Callable[[], float]) -> bool:
        """Compute exactly what may be among the best k; False when time ended that early.

        Whatever else was scored is then farther than the k-th best.
        """
        values, errors = np.array(self._values), np.array(self._errors)
        doubtful = np.flatnonzero((values - errors <= self.most_kth) & (errors > 0.0))
        doubtful = doubtful[np.argsort(values[doubtful], kind="stable")]
        for start in range(0, len(doubtful), scoring.BLOCK):
            if time_left() < RESERVE / 2:
                return False
            self._settle(doubtful[start : start + scoring.BLOCK].tolist())
        self._rebound()
        return True

    def _settle(self, positions: Sequence[int]) -> None:
        exact = scoring.mmd2(self._task, [self._learnwares[position] for position in positions])
        for position, value in zip(positions, exact.tolist(), strict=True):
            self._values[position], self._errors[position] = value, 0.0

    def _rebound(self) -> None:
        values, errors = np.array(self._values), np.array(self._errors)
        self._least = np.sort(values - errors)[: self._k].tolist()
        self._most = np.sort(values + errors)[: self._k].tolist()

    def ranked(self) -> tuple[Scored, ...]:
        """All that was scored, best first."""
        scored = [Scored(placed, max(0.0, value)) for placed, value in zip(self._learnwares, self._values, strict=True)]
        return tuple(sorted(scored, key=lambda one: one.order))
