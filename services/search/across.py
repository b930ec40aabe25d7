"""Answers across feature spaces: learnwares whose columns are others than the task's, but partly mean the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace
from learndock.rkme.specification import Specification
from learndock.schema.assignment import Assignment
from learndock.schema.comparison import Marginal, SharedSpace, share_of
from learndock.schema.schema import Encode, Schema
from services.search.assessment import Advice
from services.search.catalogue import Admission
from services.search.entry import Entry, Placed
from services.search.feature_spaces import Kind, kinds, matched
from services.search.index import DockIndex

# Below this cosine, a learnware's inputs and the task's hardly overlap on what they share.
_OVERLAP = 0.1
# Pairs of learnwares whose distances tell what is ordinary.
_BACKGROUND_PAIRS = 200
_SMALL_KIND = 5
# Scoring ends this long before the caller leaves, in seconds.
_RESERVE = 0.5


class Across(StrEnum):
    """When to look at learnwares of other feature spaces."""

    WHERE_NOTHING_FITS = "WHERE_NOTHING_FITS"
    ALWAYS = "ALWAYS"
    NEVER = "NEVER"

    def wanted(self, advice: Advice | None) -> bool:
        """Whether to look, after what was advised on the learnwares of the task's own feature space."""
        if self is Across.WHERE_NOTHING_FITS:
            return advice in (Advice.NO_COMPARABLE_LEARNWARE, Advice.LIKELY_NOTHING_FITS)
        return self is Across.ALWAYS


@dataclass(frozen=True, eq=False)
class AcrossSingle:
    """A learnware of another feature space that was found.

    Attributes
    ----------
    entry
        The learnware.
    mmd2
        Squared MMD on the shared columns.
    distance
        What it is ranked by; see `SharedSpace.distance`.
    percentile
        Share of random pairs of learnwares of its kind that are farther apart on these columns; 0 where it has few.
    assignment
        Which columns are one.
    explanation
        Why it is offered.
    """

    entry: Entry
    mmd2: float
    distance: float
    percentile: float
    assignment: Assignment
    explanation: str


def search_across(
    index: DockIndex,
    task: Specification,
    admission: Admission,
    *,
    same_space: Callable[[Hashable], bool] | None = None,
    top_k: int,
    encode: Encode,
    time_left: Callable[[], float],
) -> tuple[AcrossSingle, ...]:
    """The nearest learnwares among those that share columns with the task, without those of its very own columns.

    Nothing where the task's columns are not described, where no learnware means the same by enough of its own, or
    where none of these overlaps with the task on what they share.
    """
    if task.input is None or task.encoder:
        return ()
    schema = Schema.of(task.input, task.atoms, task.weights, encode)
    if schema is None:
        return ()
    others = [kind for kind in kinds(index, admission) if not _own(kind, task.input, same_space)]
    found = [
        single
        for kind, assignment in matched(schema, others, encode)
        for single in _singles(task, kind, assignment, time_left)
    ]
    found.sort(key=lambda single: (single.distance, single.entry.learnware_id))
    return tuple(found[:top_k])


def _own(kind: Kind, space: FeatureSpace, same_space: Callable[[Hashable], bool] | None) -> bool:
    """Whether learnwares of this kind are compared with the task as they are."""
    if same_space is None or kind.space.dimension != space.dimension:
        return kind.space == space
    return same_space(kind.columns)


def _singles(
    task: Specification, kind: Kind, assignment: Assignment, time_left: Callable[[], float]
) -> Iterator[AcrossSingle]:
    space = SharedSpace.fit(assignment, _specifications(kind), np.random.default_rng(0))
    own = space.of_task(task)
    background = _background(space, kind)
    for placed in kind.learnwares:
        if time_left() < _RESERVE:
            return
        other = space.of_learnware(placed.specification)
        if space.overlap(own, other) >= _OVERLAP:
            yield _single(space, own, other, placed, background)


def _single(
    space: SharedSpace, own: Marginal, other: Marginal, placed: Placed, background: NDArray[np.float64]
) -> AcrossSingle:
    mmd2 = space.mmd2(own, other)
    percentile = 100.0 * float((background > mmd2).mean()) if len(background) else 0.0
    return AcrossSingle(
        entry=placed.entry,
        mmd2=mmd2,
        distance=space.distance(own, other),
        percentile=percentile,
        assignment=space.assignment,
        explanation=_sentence(space.assignment),
    )


def _background(space: SharedSpace, kind: Kind) -> NDArray[np.float64]:
    """Distances of random pairs of a kind's learnwares on the shared columns; none where it has few."""
    if len(kind.learnwares) < _SMALL_KIND:
        return np.empty(0)
    generator = np.random.default_rng(0)
    marginals = [space.of_learnware(one) for one in _specifications(kind)]
    pairs = generator.integers(len(marginals), size=(_BACKGROUND_PAIRS, 2))
    return np.array([space.mmd2(marginals[i], marginals[j]) for i, j in pairs if i != j])


def _specifications(kind: Kind, most: int = 30) -> Sequence[Specification]:
    chosen = np.linspace(0, len(kind.learnwares) - 1, min(most, len(kind.learnwares))).astype(int)
    return [kind.learnwares[i].specification for i in chosen]


def _sentence(assignment: Assignment) -> str:
    return (
        f"{len(assignment.matches)} of your {assignment.task_dimension} columns seem to be among its"
        f" {assignment.learnware_dimension}, {share_of(assignment):.0%} of all in common; on these its training inputs"
        " are near to your data."
    )
