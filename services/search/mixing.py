"""When several learnwares together fit better than any alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.mixture import best_sets, heaviest, nearest_mixture, sparse_mixture
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
# The nearest by themselves, and those that are added in each round for what mixtures so far lack.
_NEAREST = 16
_ADDED = 32
_ROUNDS = 2
# Candidates beside the members wanted that are compared exactly; their Gram matrix takes the square of so many scores.
_SPARE = 2
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
    pool = _pool(candidates.alike(best.placed), task, scored)
    if not _helps(max(0.0, pool.lacking - _TOLERANCE), task, best):
        return None
    blend = _blend(pool.promising(task, max_members), task, best, max_members)
    return blend if len(blend.members) > 1 and _helps(blend.mmd2, task, best) else None


@dataclass(frozen=True, eq=False)
class _Pool:
    """Learnwares to mix, with the best mixture of their embeddings.

    Attributes
    ----------
    learnwares
        The learnwares.
    e
        Their embeddings, float64 [C, D].
    weights
        The mixture, float64 [C].
    direction
        What it lacks of the task, float64 [D].
    """

    learnwares: tuple[Placed, ...]
    e: NDArray[np.float64]
    weights: NDArray[np.float64]
    direction: NDArray[np.float64]

    @classmethod
    def of(cls, learnwares: Sequence[Placed], task: Task, start: Sequence[int] = ()) -> _Pool:
        e = np.stack([placed.row[:-1] for placed in learnwares]).astype(np.float64)
        q = task.row[:-1]
        weights = nearest_mixture(e @ e.T, e @ q, start=start, tolerance=_TOLERANCE)
        return cls(tuple(learnwares), e, weights, q - weights @ e)

    @property
    def lacking(self) -> float:
        """Distance of the mixture to the task's embedding.

        Projected on the landmarks, nothing is farther apart than it is, so no mixture of these learnwares is nearer.
        """
        return float(self.direction @ self.direction)

    def promising(self, task: Task, max_members: int) -> list[Placed]:
        """A few learnwares of which, by their embeddings, a good mixture can be made."""
        gram, target = self.e @ self.e.T, self.e @ task.row[:-1]
        gram[np.diag_indices_from(gram)] = [placed.norm for placed in self.learnwares]
        start = np.flatnonzero(self.weights).tolist()
        optimum = nearest_mixture(gram, target, start=start, tolerance=_TOLERANCE)
        sets = best_sets(gram, target, max_members)
        ordered = np.concatenate([*reversed(sets), heaviest(optimum, max_members + _SPARE)])
        kept = list(dict.fromkeys(ordered.tolist()))[: max_members + _SPARE]
        return [self.learnwares[position] for position in sorted(kept)]


def _pool(candidates: Candidates, task: Task, scored: Sequence[Scored]) -> _Pool:
    """The nearest first, then in rounds those that add what mixtures of the former lack."""
    nearest = [one.placed for one in scored[:_NEAREST]]
    pool = _Pool.of([one for one in nearest if one.entry.answer == nearest[0].entry.answer], task)
    for _ in range(_ROUNDS):
        known = {placed.entry.learnware_id for placed in pool.learnwares}
        found = candidates.along(pool.direction, _ADDED)
        fresh = [one for one in found if one.entry.learnware_id not in known]
        if not fresh:
            break
        pool = _Pool.of([*pool.learnwares, *fresh], task, np.flatnonzero(pool.weights).tolist())
    return pool


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
