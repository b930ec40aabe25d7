"""One search, from what is asked to what is answered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.account import Principal
from learndock.learnware import SemanticFilter
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from services.search import assessment
from services.search.across import Across, AcrossSingle
from services.search.assessment import Advice
from services.search.catalogue import Admission
from services.search.certified import Budget, Candidates, Mode, Ranking
from services.search.engines.port import ScoringEngine
from services.search.entry import Entry
from services.search.index import DockIndex, IslandIndex
from services.search.island import IslandKey
from services.search.mixing import Blend, best_blend
from services.search.private import SENTENCE, rank_privately, remark
from services.search.scoring import Task
from services.search.words import share_in_name, split


@dataclass(frozen=True, eq=False)
class Question:
    """What is looked for, checked.

    Attributes
    ----------
    caller
        Who asks.
    filter
        Which learnwares are admitted.
    specification
        The task; None to rank by words alone.
    top_k
        Singles wanted.
    max_mixture_members
        Most members of a mixture; 1 for none.
    mode
        How hard to look.
    excluded
        Ids to leave out.
    max_scored
        Most exact scores; None for no limit.
    private
        The task as a differentially private specification, instead of `specification`.
    across
        When to look at learnwares of other feature spaces, too.
    """

    caller: Principal
    filter: SemanticFilter
    specification: Specification | None
    top_k: int
    max_mixture_members: int
    mode: Mode
    excluded: frozenset[str]
    max_scored: int | None
    private: PrivateSpecification | None = None
    across: Across = Across.WHERE_NOTHING_FITS

    @property
    def island(self) -> IslandKey | None:
        """Where the task can be compared; None without a task."""
        if self.private is not None:
            return IslandKey.of_private(self.private)
        return IslandKey.of(self.specification) if self.specification is not None else None


@dataclass(frozen=True, eq=False)
class Single:
    """A learnware that was found, with its distance and percentile (0 without a specification)."""

    entry: Entry
    mmd2: float
    percentile: float
    explanation: str


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found, and what is known of it; see `learndock.v1.SearchResponse`."""

    singles: tuple[Single, ...]
    sequence: int
    certified: bool
    scored: int
    admitted: int
    blend: Blend | None = None
    blend_percentile: float = 0.0
    island_id: str = ""
    profile: int = 0
    advice: Advice | None = None
    remark: str = ""
    across: tuple[AcrossSingle, ...] = ()


def search(
    index: DockIndex,
    question: Question,
    worded: NDArray[np.int64] | None,
    *,
    engine: ScoringEngine,
    time_left: Callable[[], float],
    exhaustive_below: int,
    same_space: Callable[[Hashable], bool] | None = None,
) -> Answer:
    """Answer a question from an index.

    Parameters
    ----------
    index
        What is known.
    question
        What is asked.
    worded
        Entries that contain the filter's words; None where it has none.
    engine
        What scores.
    time_left
        Seconds until the caller stops waiting.
    exhaustive_below
        With fewer admitted learnwares, all are scored.
    same_space
        See `Admission`.
    """
    admission = Admission(question.caller, question.filter, question.excluded, worded, same_space)
    key = question.island
    if key is None:
        return _by_words(index, question, admission)
    island = index.islands.get(key.island_id)
    comparable = island.comparable_count(admission) if island is not None else 0
    if island is None or comparable == 0:  # an island that the caller may not see is as good as none
        return _nothing_comparable(index, key)
    candidates = Candidates(island, *island.admitted(admission))
    budget = Budget(question.max_scored, time_left)
    if question.specification is None:
        return _privately(index, question, candidates, budget)
    task = Task.under(island.profile, question.specification)
    ranking = engine.rank(
        candidates, task, k=question.top_k, mode=question.mode, budget=budget, exhaustive_below=exhaustive_below
    )
    return _ranked(index, question, candidates, task, ranking, comparable)


def _ranked(
    index: DockIndex, question: Question, candidates: Candidates, task: Task, ranking: Ranking, comparable: int
) -> Answer:
    island, best = candidates.island, ranking.scored[:1]
    blend = best_blend(candidates, task, ranking.scored, max_members=question.max_mixture_members) if best else None
    return Answer(
        singles=_singles(island, ranking, question.top_k),
        sequence=index.sequence,
        certified=ranking.certified,
        scored=len(ranking.scored),
        admitted=candidates.count,
        blend=blend,
        blend_percentile=island.background.percentile(blend.mmd2) if blend is not None else 0.0,
        island_id=island.key.island_id,
        profile=island.profile.number,
        advice=assessment.advice(task, best[0], blend, island.background, comparable) if best else None,
    )


def _privately(index: DockIndex, question: Question, candidates: Candidates, budget: Budget) -> Answer:
    if question.private is None:
        raise ValueError("The question has no private specification.")
    ranking = rank_privately(candidates, question.private, budget)
    best = ranking.scored[: question.top_k]
    return Answer(
        singles=tuple(Single(one.placed.entry, max(0.0, one.mmd2), 0.0, SENTENCE) for one in best),
        sequence=index.sequence,
        certified=False,
        scored=len(ranking.scored),
        admitted=candidates.count,
        island_id=candidates.island.key.island_id,
        profile=candidates.island.profile.number,
        remark=remark(question.private, len(ranking.scored), candidates.count),
    )


def _singles(island: IslandIndex, ranking: Ranking, count: int) -> tuple[Single, ...]:
    singles = []
    for one in ranking.scored[:count]:
        percentile = island.background.percentile(one.mmd2)
        explanation = assessment.single_sentence(percentile)
        singles.append(Single(one.placed.entry, one.mmd2, percentile, explanation))
    return tuple(singles)


def _nothing_comparable(index: DockIndex, key: IslandKey) -> Answer:
    return Answer(
        singles=(),
        sequence=index.sequence,
        certified=True,
        scored=0,
        admitted=0,
        island_id=key.island_id,
        advice=Advice.NO_COMPARABLE_LEARNWARE,
    )


def _by_words(index: DockIndex, question: Question, admission: Admission) -> Answer:
    entries = [
        shelf.entries[position]
        for shelf, alive in index.shelves()
        for position in np.flatnonzero(shelf.admitted(admission) & alive)
    ]
    explanation = assessment.words_sentence(question.filter.text)
    best = _ordered_by_words(entries, split(question.filter.text))[: question.top_k]
    return Answer(
        singles=tuple(Single(entry, 0.0, 0.0, explanation) for entry in best),
        sequence=index.sequence,
        certified=False,
        scored=0,
        admitted=len(entries),
    )


def _ordered_by_words(entries: Sequence[Entry], wanted: Sequence[str]) -> list[Entry]:
    def order(entry: Entry) -> tuple[float, str]:
        return -share_in_name(entry.learnware.semantic_specification.name, wanted), entry.learnware_id

    return sorted(entries, key=order)
