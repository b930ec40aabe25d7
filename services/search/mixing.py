"""When several learnwares together fit better than any alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learndock.rkme.mixture import heaviest, pairwise_frank_wolfe, residual_candidates, sparse_mixture
from learndock.rkme.specification import Specification
from services.search import scoring
from services.search.certified import Candidates, Scored
from services.search.entry import Placed
from services.search.scoring import Task

# A mixture is offered only where it lowers MMD2 by this share of the best single's and by this much;
# docs/decisions/0002-search-kernel.md tells what was seen.
LEAST_SHARE = 0.25
LEAST_GAIN = 0.005
# What an owner says of a specification's own error counts up to this much, so that no claim can forbid mixtures.
_MAX_CLAIMED_ERROR = 0.01
_NEAREST = 64
_ADDED = 32
# Candidates that are compared exactly; their Gram matrix takes the square of this many scores.
_EXACT = 12


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


def best_blend(candidates: Candidates, task: Task, best: Scored, *, max_members: int) -> Blend | None:
    """The mixture of admitted learnwares to offer beside the best single, if one helps."""
    learnwares = candidates.all()
    if max_members < 2 or len(learnwares) < 2:
        return None
    blend = _blend(_promising(learnwares, task), task, best, max_members)
    return blend if _helps(blend, task, best) else None


def _promising(learnwares: Sequence[Placed], task: Task) -> list[Placed]:
    """A few learnwares of which, by their embeddings, a good mixture can be made."""
    rows = np.stack([placed.row for placed in learnwares])
    e, target = rows[:, :-1], task.row[:-1]
    distances = ((e - target.astype(np.float32)) ** 2).sum(axis=1)
    pool = residual_candidates(e, target, np.argsort(distances, kind="stable")[:_NEAREST], _ADDED)
    chosen = e[pool].astype(np.float64)
    gram = chosen @ chosen.T
    gram[np.diag_indices_from(gram)] = [learnwares[position].norm for position in pool]
    weights = pairwise_frank_wolfe(gram, chosen @ target)
    return [learnwares[pool[index]] for index in heaviest(weights, _EXACT)]


def _blend(learnwares: Sequence[Placed], task: Task, best: Scored, max_members: int) -> Blend:
    target = scoring.inner_products(task, learnwares)
    found = sparse_mixture(scoring.gram(task.profile, learnwares), target, task.norm, max_members=max_members)
    members = [learnwares[index] for index in found.members]
    distances = scoring.mmd2(task, members)
    return Blend(
        members=tuple(Scored(placed, float(mmd2)) for placed, mmd2 in zip(members, distances, strict=True)),
        weights=tuple(float(weight) for weight in found.weights),
        mmd2=round(found.mmd2, scoring.DECIMALS),
        gap=found.gap,
        best_single=best.mmd2,
    )


def _helps(blend: Blend, task: Task, best: Scored) -> bool:
    errors = (_own_error(task.specification), _own_error(best.placed.specification))
    gain = best.mmd2 - blend.mmd2
    return len(blend.members) > 1 and gain > max(LEAST_GAIN, *errors) and blend.improvement >= LEAST_SHARE


def _own_error(specification: Specification) -> float:
    fidelity = specification.fidelity
    return min(fidelity.mmd2, _MAX_CLAIMED_ERROR) if fidelity is not None else 0.0
