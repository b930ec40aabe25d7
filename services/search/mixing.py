"""When several learnwares together fit better than any alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.mixture import (
    PARSIMONY,
    differences_of,
    duality_gap,
    nearest_mixture,
    pruned_mixture,
    runner_up,
    sparse_mixture,
)
from services.search import scoring
from services.search.certified import Candidates
from services.search.entry import Placed
from services.search.scoring import Task
from services.search.tally import Scored

# A mixture is offered only where it lowers MMD2 by this share of the best single's and by this much;
# docs/decisions/0002-search-kernel.md tells what was seen.
LEAST_SHARE = 1 / 3
LEAST_GAIN = 0.005
# What an owner says of a specification's own error counts up to this much, so that no claim can forbid mixtures.
_MAX_CLAIMED_ERROR = 0.01
# The nearest by themselves, and those that are added at a time along each direction in which mixtures lack something.
_NEAREST = 16
_ADDED = 5
# Of how many members of the mixture of many one is left out in the second look.
_HEAVIEST = 12
# Of those that are added, so many are tried in the mixture of many.
_TRIED = 16
_NOTHING = 1e-9
# How often members are exchanged at most, for which the distance must fall to this share.
_EXCHANGES = 8
_WORTH = 0.9


@dataclass(frozen=True, eq=False)
class Blend:
    """A mixture.

    Attributes
    ----------
    members
        Learnwares with their own distances to the task, heaviest first.
    weights
        Their shares.
    mmd2
        Distance of the mixture to the task.
    gap
        Duality gap over those whose exact products were computed.
    best_single
        Distance of the best single learnware.
    """

    members: tuple[Scored, ...]
    weights: tuple[float, ...]
    mmd2: float
    gap: float
    best_single: float

    @property
    def improvement(self) -> float:
        """How much of the best single's MMD2 the mixture takes away, 0 to 1."""
        return 1.0 - self.mmd2 / self.best_single if self.best_single > 0 else 0.0


def best_blend(candidates: Candidates, task: Task, scored: Sequence[Scored], *, max_members: int) -> Blend | None:
    """The mixture of admitted learnwares to offer beside the best single, if one helps.

    Its members answer as the best single does: a class and a number cannot be mixed.

    Parameters
    ----------
    candidates
        Who is admitted.
    task
        The task.
    scored
        Those that were scored, best first; at least one.
    max_members
        Most members.
    """
    best = scored[0]
    if max_members < 2 or candidates.count < 2 or not _helps(0.0, task, best):
        return None
    alike = candidates.alike(best.placed)
    pool = _pool(alike, task, scored)
    if not _helps(float(pool.lacking @ pool.lacking), task, best):
        return None
    blend = _blend(_promising(alike, pool, max_members), task, best, max_members)
    return blend if len(blend.members) > 1 and _helps(blend.mmd2, task, best) else None


class _Pool:
    """Learnwares to mix, by how their embeddings differ from the task's, with a near mixture of however many of them.

    Parameters
    ----------
    task
        The task.
    learnwares
        The first of them.

    Attributes
    ----------
    learnwares
        All of them so far.
    differences
        Inner products of their differences from the task, float64 [C, C].
    weights
        The mixture, float64 [C].
    """

    def __init__(self, task: Task, learnwares: Sequence[Placed]) -> None:
        self._q = task.row[:-1]
        self._offsets = np.zeros((0, len(self._q)))  # from the task's embedding, float64 [C, D]
        self._known: set[int] = set()
        self.learnwares: list[Placed] = []
        self.differences = np.zeros((0, 0))
        self.weights = np.zeros(0)
        self._take(learnwares)
        self._mix(np.arange(len(learnwares)))

    @property
    def lacking(self) -> NDArray[np.float64]:
        """What the mixture lacks of the task, float64 [D].

        Projected on the landmarks, nothing is farther apart than it is, so no mixture of these learnwares is nearer
        than this is long, but for how far `weights` are from the best.
        """
        return -(self.weights @ self._offsets)

    def heaviest(self, count: int) -> NDArray[np.int64]:
        """Who weighs most in the mixture, heaviest first."""
        heavy = np.argsort(-self.weights, kind="stable")[:count]
        return np.asarray(heavy[self.weights[heavy] > _NOTHING])

    def lacking_without_each(self, members: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a mixture of m lacks of the task when one of its members is left out, float64 [m, D]."""
        offsets = self._offsets[members]
        return np.asarray(weights[:, None] * (offsets + self._q) - weights @ offsets)

    def look(self, candidates: Candidates, directions: NDArray[np.float64]) -> int:
        """Take in who reaches far along directions [m, D]; how many newcomers there are. They weigh nothing yet."""
        found = candidates.along(directions, _ADDED)
        fresh = {one.entry.sequence: one for one in found if one.entry.sequence not in self._known}
        if fresh:
            self._take(list(fresh.values()))
        return len(fresh)

    def mix_in(self, newcomers: int) -> None:
        """Make the mixture of those that weigh something in it, and of those newcomers that promise most."""
        if not newcomers:
            return
        count = len(self.weights) - newcomers
        promising = count + np.argsort(-(self._offsets[count:] @ self.lacking), kind="stable")[:_TRIED]
        self._mix(np.concatenate([self.heaviest(count), promising]))

    def _take(self, fresh: Sequence[Placed]) -> None:
        """Learnwares that are not in yet."""
        offsets = np.array([placed.row[:-1] for placed in fresh]) - self._q
        self.learnwares += fresh
        self._known.update(placed.entry.sequence for placed in fresh)
        self._offsets = np.concatenate([self._offsets, offsets])
        self.differences = _grown(self.differences, offsets @ self._offsets.T)
        self.weights = np.concatenate([self.weights, np.zeros(len(fresh))])

    def _mix(self, chosen: NDArray[np.int64]) -> None:
        self.weights[:] = 0.0
        self.weights[chosen] = nearest_mixture(self.differences[np.ix_(chosen, chosen)])


def _grown(matrix: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """A symmetric matrix [n, n] with more rows [m, n + m]."""
    count, total = len(matrix), rows.shape[1]
    grown = np.empty((total, total))
    grown[:count, :count], grown[:count, count:], grown[count:] = matrix, rows[:, :count].T, rows
    return grown


def _pool(candidates: Candidates, task: Task, scored: Sequence[Scored]) -> _Pool:
    """The nearest first, then those that add what their mixture lacks, as it is and without each member."""
    nearest = [one.placed for one in scored[:_NEAREST]]
    pool = _Pool(task, [one for one in nearest if one.entry.answer == nearest[0].entry.answer])
    pool.mix_in(pool.look(candidates, pool.lacking[None, :]))
    heavy = pool.heaviest(_HEAVIEST)
    pool.mix_in(pool.look(candidates, pool.lacking_without_each(heavy, pool.weights[heavy])))
    return pool


def _promising(candidates: Candidates, pool: _Pool, max_members: int) -> list[Placed]:
    """A few learnwares of which, by their embeddings, a good mixture can be made.

    The best few of the pool, into which come those who add what they lack without each of them, while that helps.
    Embeddings alone decide: what the landmarks leave over of the right members is what they leave over of the task.
    """
    found = sparse_mixture(pool.differences, pool.heaviest(max_members), max_members=max_members)
    for _ in range(_EXCHANGES):
        if not pool.look(candidates, pool.lacking_without_each(found.members, found.weights)):
            break
        before, found = found, sparse_mixture(pool.differences, found.members, max_members=max_members)
        if found.mmd2 > _WORTH * before.mmd2:
            break
    spare = runner_up(pool.differences, found.members)
    return [pool.learnwares[index] for index in (*found.members.tolist(), *([spare] if spare is not None else []))]


def _blend(learnwares: Sequence[Placed], task: Task, best: Scored, max_members: int) -> Blend:
    gram, target = scoring.gram_and_target(task, learnwares)
    differences = differences_of(gram, target, task.norm)
    found = pruned_mixture(differences, max_members=max_members, parsimony=PARSIMONY)
    members = [learnwares[index] for index in found.members]
    distances = scoring.mmd2_of(task, members, target[found.members])
    return Blend(
        members=tuple(Scored(placed, float(mmd2)) for placed, mmd2 in zip(members, distances, strict=True)),
        weights=tuple(float(weight) for weight in found.weights),
        mmd2=round(found.mmd2, scoring.DECIMALS),
        gap=duality_gap(differences, found),
        best_single=best.mmd2,
    )


def _helps(mmd2: float, task: Task, best: Scored) -> bool:
    """Whether a mixture so near to the task is worth more than the best single."""
    own_errors = (task.claimed_error, min(best.placed.specification.claimed_error, _MAX_CLAIMED_ERROR))
    gain = best.mmd2 - mmd2
    return gain > max(LEAST_GAIN, *own_errors) and gain >= LEAST_SHARE * best.mmd2
