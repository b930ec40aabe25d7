"""When several learnwares together fit better than any alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.mixture import ROUGH, forward_members, heaviest, pairwise_frank_wolfe, residual, sparse_mixture
from services.search import scoring
from services.search.certified import Candidates, Scored
from services.search.entry import Placed
from services.search.scoring import Task

# A mixture is offered only where it lowers MMD2 by this share of the best single's and by this much;
# docs/decisions/0002-search-kernel.md tells what was seen.
LEAST_SHARE = 1 / 3
LEAST_GAIN = 0.005
# What an owner says of a specification's own error counts up to this much, so that no claim can forbid mixtures.
_MAX_CLAIMED_ERROR = 0.01
_NEAREST = 32
_ADDED = 32
_ROUNDS = 2
# Members of the unrestricted optimum that are compared exactly; their Gram matrix takes the square of this many scores.
_HEAVIEST = 5


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
        Those that were scored exactly, best first; at least one.
    max_members
        Most members.
    """
    best = scored[0]
    if max_members < 2 or candidates.count < 2 or not _helps(0.0, task, best):
        return None
    pool, nearest_possible = _pool(candidates.alike(best.placed), task, scored)
    if not _helps(max(0.0, nearest_possible - ROUGH), task, best):
        return None
    blend = _blend(_promising(pool, task, max_members), task, best, max_members)
    return blend if len(blend.members) > 1 and _helps(blend.mmd2, task, best) else None


def _pool(candidates: Candidates, task: Task, scored: Sequence[Scored]) -> tuple[list[Placed], float]:
    """Learnwares to mix, and a lower bound of the MMD2 of their mixtures.

    The nearest come first, then in rounds those that add what mixtures of the former lack. Projected on the landmarks,
    nothing is farther apart than it is, so the best mixture of the projections bounds all mixtures.
    """
    nearest = [one.placed for one in scored[:_NEAREST]]
    pool = [one for one in nearest if one.entry.answer == nearest[0].entry.answer]
    for _ in range(_ROUNDS):
        direction = residual(_embeddings(pool), task.row[:-1])
        known = {placed.entry.learnware_id for placed in pool}
        fresh = [one for one in candidates.along(direction, _ADDED) if one.entry.learnware_id not in known]
        if not fresh:
            return pool, float(direction @ direction)
        pool += fresh
    lacking = residual(_embeddings(pool), task.row[:-1])
    return pool, float(lacking @ lacking)


def _embeddings(pool: Sequence[Placed]) -> NDArray[np.float64]:
    return np.stack([placed.row[:-1] for placed in pool]).astype(np.float64)


def _promising(pool: Sequence[Placed], task: Task, max_members: int) -> list[Placed]:
    """A few learnwares of which, by their embeddings, a good mixture can be made."""
    e = _embeddings(pool)
    gram, target = e @ e.T, e @ task.row[:-1]
    gram[np.diag_indices_from(gram)] = [placed.norm for placed in pool]
    optimum = heaviest(pairwise_frank_wolfe(gram, target, tolerance=ROUGH), _HEAVIEST)
    kept = np.unique(np.concatenate([optimum, *forward_members(gram, target, max_members)]))
    return [pool[index] for index in kept]


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
