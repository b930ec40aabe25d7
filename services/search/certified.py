"""Certified search: exact scores, in the order of lower bounds, until the best are proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import islice
import math

import numpy as np
from numpy.typing import NDArray

from services.search.catalogue import Bitmap
from services.search.embedding import lower_bounds
from services.search.entry import Placed
from services.search.index import IslandIndex
from services.search.scoring import Task
from services.search.tally import RESERVE, Scored, Tally

# Allowance for rounding, as a length (square root of MMD2): vectors are float32, and r is the root of a difference.
_MARGIN = 1e-5
# Learnwares scored between two looks at the proof.
_STEP = 8
_APPROXIMATE_FACTOR = 4
_APPROXIMATE_LEAST = 64


class Mode(StrEnum):
    """How hard to look."""

    CERTIFIED = "CERTIFIED"
    """Until the best are proven."""
    APPROXIMATE = "APPROXIMATE"
    """The nearest by the embedding only."""
    EXHAUSTIVE = "EXHAUSTIVE"
    """Every admitted learnware."""


@dataclass(frozen=True)
class Budget:
    """How much may be spent on a search.

    Attributes
    ----------
    max_scored
        Most exact scores; None for no limit.
    time_left
        Seconds until the caller stops waiting.
    """

    max_scored: int | None
    time_left: Callable[[], float]

    def remaining(self, scored: int, most: int = _STEP) -> int:
        """Exact scores that may still be made after `scored`, at most so many."""
        if self.time_left() < RESERVE:
            return 0
        return most if self.max_scored is None else min(most, self.max_scored - scored)


@dataclass(frozen=True, eq=False)
class Ranking:
    """What was scored.

    Attributes
    ----------
    scored
        Learnwares whose distances were computed, best first; those of the first k are exact, the others nearly.
    certified
        The first k of them are proven to be the best k of all admitted.
    """

    scored: tuple[Scored, ...]
    certified: bool


@dataclass(frozen=True, eq=False)
class Candidates:
    """Who may be scored: the admitted learnwares of an island.

    Attributes
    ----------
    island
        The island.
    in_large, in_small
        Who is admitted, in its two banks.
    """

    island: IslandIndex
    in_large: Bitmap
    in_small: Bitmap

    @property
    def count(self) -> int:
        """Number of admitted learnwares."""
        return int(np.count_nonzero(self.in_large) + np.count_nonzero(self.in_small))

    def alike(self, placed: Placed) -> Candidates:
        """Those whose answers can be mixed with those of one."""
        large, small = self.island.large.shelf, self.island.small.shelf
        entry = placed.entry
        return Candidates(self.island, self.in_large & large.alike(entry), self.in_small & small.alike(entry))

    def all(self) -> list[Placed]:
        """All admitted learnwares."""
        large, small = self.island.large.learnwares, self.island.small.learnwares
        return [
            *(large[position] for position in np.flatnonzero(self.in_large)),
            *(small[position] for position in np.flatnonzero(self.in_small)),
        ]

    def along(self, directions: NDArray[np.float64], count: int) -> list[Placed]:
        """Admitted learnwares whose embeddings reach farthest along directions [m, D], nearly: `count` of each bank."""
        return [
            *self.island.large.along(directions, self.in_large, count),
            *self.island.small.along(directions, self.in_small, count),
        ]

    def by_bound(self, task: Task, farthest: Callable[[], float]) -> Iterator[tuple[float, Placed]]:
        """All admitted learnwares in the order of their lower bounds, each with its bound.

        It may end where they are larger than what `farthest` tells when it is asked.
        """
        small = sorted(self._small_bounds(task), key=_bound)
        learnwares = self.island.large.learnwares
        for reach in self.island.large.nearest(task.row, self.in_large, farthest):
            here = [pair for pair in small if pair[0] <= reach.horizon]
            small = small[len(here) :]
            pairs = zip(reach.bounds.tolist(), reach.positions.tolist(), strict=True)
            found = ((bound, learnwares[position]) for bound, position in pairs)
            yield from merge(here, found, key=_bound) if here else found

    def _small_bounds(self, task: Task) -> list[tuple[float, Placed]]:
        positions = np.flatnonzero(self.in_small)
        if not len(positions):
            return []
        bounds = lower_bounds(self.island.small.rows[positions], task.row)
        return [
            (float(bound), self.island.small.learnwares[position])
            for position, bound in zip(positions, bounds, strict=True)
        ]


def _bound(pair: tuple[float, Placed]) -> float:
    return pair[0]


def rank(candidates: Candidates, task: Task, *, k: int, mode: Mode, budget: Budget, exhaustive_below: int) -> Ranking:
    """The k admitted learnwares that are nearest to the task, with the proof if there is one.

    Parameters
    ----------
    candidates
        Who is admitted.
    task
        The task.
    k
        How many are wanted.
    mode
        How hard to look.
    budget
        What may be spent; where it ends the search, the ranking is not certified.
    exhaustive_below
        With fewer candidates than this, all are scored whatever the mode.
    """
    count, tally = candidates.count, Tally(task, k, exactly=mode is Mode.EXHAUSTIVE)
    if mode is Mode.APPROXIMATE and count >= exhaustive_below:
        most = max(_APPROXIMATE_FACTOR * k, _APPROXIMATE_LEAST)
        budget = Budget(most if budget.max_scored is None else min(most, budget.max_scored), budget.time_left)
        ordered = candidates.by_bound(task, lambda: _farthest(tally))
    elif mode is Mode.CERTIFIED and count >= exhaustive_below:
        ordered = candidates.by_bound(task, lambda: _farthest(tally))
    else:
        ordered = ((0.0, placed) for placed in candidates.all())
    complete = _score(ordered, tally, budget, k)
    settled = tally.settle(budget.time_left)
    return Ranking(tally.ranked(), certified=complete and settled and mode is not Mode.APPROXIMATE)


def _score(ordered: Iterator[tuple[float, Placed]], tally: Tally, budget: Budget, k: int) -> bool:
    """Score in the given order until the best k are proven (True), or the budget is spent (False)."""
    while True:
        # Nothing is proven before k are scored.
        allowed = budget.remaining(len(tally), max(_STEP, k - len(tally)))
        step = list(islice(ordered, max(1, allowed)))
        if not step or _proven(step[0][0], tally, budget):
            return True
        if allowed <= 0:
            return False
        farthest = _farthest(tally)
        near = [placed for bound, placed in step if bound <= farthest]
        tally.add(near)
        if len(near) < len(step):  # whatever comes later is bounded by more
            return True


def _proven(bound: float, tally: Tally, budget: Budget) -> bool:
    """Whether everything with this lower bound is farther than the k-th best; settles what that depends on."""
    if proves(bound, tally.least_kth) and not proves(bound, tally.most_kth):
        tally.settle(budget.time_left)
    return proves(bound, tally.most_kth)


def proves(bound: float, kth_best: float) -> bool:
    """Whether a learnware with this lower bound must be farther than the k-th best value."""
    return max(0.0, math.sqrt(bound) - _MARGIN) ** 2 > kth_best


def _farthest(tally: Tally) -> float:
    """A lower bound beyond which every learnware is proven to be farther than the k-th best."""
    return (math.sqrt(tally.most_kth) + 2.0 * _MARGIN) ** 2
