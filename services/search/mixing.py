"""When several learnwares together fit better than any alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.mixture import MixtureWeights, best_mixtures, heaviest, nearest_mixture, sparse_mixture
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
# The nearest by themselves, and those that are added at a time for what mixtures so far lack.
_NEAREST = 16
_ADDED = 8
_ROUNDS = 3
# How often members are exchanged at most, for which the distance must fall to this share.
_EXCHANGES = 8
_WORTH = 0.98
# Of the best mixture of all, so many are tried for the one of few.
_HEAVIEST = 12
# Members are a matter of exact distances, later.
_NO_PARSIMONY = 1.0
# Candidates beside the members wanted that are compared exactly; their Gram matrix takes the square of so many scores.
_SPARE = 1
# Duality gap of mixtures of embeddings: what they tell is looked at exactly later.
_TOLERANCE = 1e-4


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
        Duality gap over the candidates.
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
    if not _helps(max(0.0, pool.lacking - _TOLERANCE), task, best):
        return None
    blend = _blend(_promising(alike, pool, max_members), task, best, max_members)
    return blend if len(blend.members) > 1 and _helps(blend.mmd2, task, best) else None


@dataclass(frozen=True, eq=False)
class _Pool:
    """Learnwares to mix, with the best mixture of their embeddings.

    Attributes
    ----------
    task
        The task.
    learnwares
        The learnwares.
    e
        Their embeddings, float64 [C, D].
    weights
        The mixture, float64 [C].
    direction
        What it lacks of the task, float64 [D].
    """

    task: Task
    learnwares: tuple[Placed, ...]
    e: NDArray[np.float64]
    weights: NDArray[np.float64]
    direction: NDArray[np.float64]

    @classmethod
    def of(cls, task: Task, learnwares: Sequence[Placed]) -> _Pool:
        return cls(task, (), np.empty((0, len(task.row) - 1)), np.empty(0), task.row[:-1]).remixed(learnwares)

    def remixed(self, others: Sequence[Placed]) -> _Pool:
        """The pool with others in it, and the best mixture of all."""
        e, q = np.concatenate([self.e, [placed.row[:-1] for placed in others]]), self.task.row[:-1]
        weights = nearest_mixture(e @ e.T, e @ q, start=np.flatnonzero(self.weights).tolist(), tolerance=_TOLERANCE)
        return _Pool(self.task, (*self.learnwares, *others), e, weights, q - weights @ e)

    def unknown(self, found: Sequence[Placed]) -> list[Placed]:
        """Those that are not in the pool, each once."""
        known = {placed.entry.learnware_id for placed in self.learnwares}
        fresh = {one.entry.learnware_id: one for one in found if one.entry.learnware_id not in known}
        return list(fresh.values())

    @property
    def lacking(self) -> float:
        """Distance of the mixture to the task's embedding.

        Projected on the landmarks, nothing is farther apart than it is, so no mixture of these learnwares is nearer.
        """
        return float(self.direction @ self.direction)

    def gap(self, others: Sequence[Placed]) -> float:
        """How much nearer than this mixture one with some of these others can be at most."""
        reach = np.stack([placed.row[:-1] for placed in others]) @ self.direction
        return float(2.0 * (reach.max() - self.weights @ self.e @ self.direction))

    def sparse(self, kept: Sequence[int], max_members: int) -> MixtureWeights:
        """The best mixture by embeddings of few of those that are kept; its members are indices into the pool."""
        e, q = self.e[kept], self.task.row[:-1]
        found = sparse_mixture(e @ e.T, e @ q, float(q @ q), max_members=max_members, parsimony=_NO_PARSIMONY)
        return replace(found, members=np.asarray(kept)[found.members])

    def lacking_without_each(self, mixture: MixtureWeights) -> NDArray[np.float64]:
        """What a mixture of m lacks of the task when one of its members is left out, float64 [m, D]."""
        parts = mixture.weights[:, None] * self.e[mixture.members]
        return np.asarray(self.task.row[:-1] - parts.sum(axis=0) + parts)

    def broad(self, max_members: int) -> list[int]:
        """Members of a mixture that would be good if what the landmarks leave over of learnwares were unrelated."""
        gram = self.e @ self.e.T
        gram[np.diag_indices_from(gram)] = [placed.norm for placed in self.learnwares]
        return [*best_mixtures(gram, self.e @ self.task.row[:-1], self.task.norm, max_members)[-1].members.tolist()]


def _pool(candidates: Candidates, task: Task, scored: Sequence[Scored]) -> _Pool:
    """The nearest first, then in rounds those that add what mixtures of the former lack."""
    nearest = [one.placed for one in scored[:_NEAREST]]
    pool = _Pool.of(task, [one for one in nearest if one.entry.answer == nearest[0].entry.answer])
    for _ in range(_ROUNDS):
        fresh = pool.unknown(candidates.along(pool.direction[None, :], _ADDED))
        if not fresh or pool.gap(fresh) < _TOLERANCE:
            break
        pool = pool.remixed(fresh)
    return pool


def _promising(candidates: Candidates, pool: _Pool, max_members: int) -> list[Placed]:
    """A few learnwares of which, by their embeddings, a good mixture can be made.

    The best few of the pool, each exchanged for what the others lack while that helps. Embeddings alone decide: what
    the landmarks leave over of the right members is what they leave over of the task.
    """
    found = pool.sparse(range(len(pool.learnwares)), max_members)
    for _ in range(_EXCHANGES):
        fresh = pool.unknown(candidates.along(pool.lacking_without_each(found), _ADDED))
        if not fresh:
            break
        tried = range(len(pool.learnwares), len(pool.learnwares) + len(fresh))
        pool = pool.remixed(fresh)
        heavy = heaviest(pool.weights, _HEAVIEST).tolist()
        better = pool.sparse(list(dict.fromkeys([*found.members.tolist(), *tried, *heavy])), max_members)
        if better.mmd2 > _WORTH * found.mmd2:
            break
        found = better
    chosen = dict.fromkeys([*found.members.tolist(), *pool.broad(max_members)])
    return [pool.learnwares[index] for index in list(chosen)[: max_members + _SPARE]]


def _blend(learnwares: Sequence[Placed], task: Task, best: Scored, max_members: int) -> Blend:
    target = scoring.inner_products(task, learnwares)
    found = sparse_mixture(scoring.gram(task.profile, learnwares), target, task.norm, max_members=max_members)
    members = [learnwares[index] for index in found.members]
    distances = scoring.mmd2_of(task, members, target[found.members])
    return Blend(
        members=tuple(Scored(placed, float(mmd2)) for placed, mmd2 in zip(members, distances, strict=True)),
        weights=tuple(float(weight) for weight in found.weights),
        mmd2=round(found.mmd2, scoring.DECIMALS),
        gap=found.gap,
        best_single=best.mmd2,
    )


def _helps(mmd2: float, task: Task, best: Scored) -> bool:
    """Whether a mixture so near to the task is worth more than the best single."""
    own_errors = (task.claimed_error, min(best.placed.specification.claimed_error, _MAX_CLAIMED_ERROR))
    gain = best.mmd2 - mmd2
    return gain > max(LEAST_GAIN, *own_errors) and gain >= LEAST_SHARE * best.mmd2
