"""What the search service can do, apart from how it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from learndock.account import Principal
from learndock.errors import NotFound, Reason
from learndock.schema.meanings import Meanings
from learndock.schema.schema import Encode
from learndock.serving import caller, telemetry
from services.search.across import search_across
from services.search.catalogue import Admission
from services.search.engines.port import ScoringEngine
from services.search.entry import Entry
from services.search.feature_spaces import SameSpace
from services.search.index import IslandIndex
from services.search.live import LiveIndex
from services.search.search import Answer, Question, search
from services.search.search_counts import SearchCounter
from services.search.turns import Turns

# An answer takes time too: waiting for a change ends this long before the deadline, in seconds.
_RESERVE = 0.2
_LONGEST_WAIT = 30.0


@dataclass(frozen=True, eq=False)
class SearchDesk:
    """Answers questions from the live index.

    Attributes
    ----------
    live
        The index.
    engine
        What scores.
    turns
        Who computes when.
    exhaustive_below
        With fewer admitted learnwares, all are scored exactly.
    meanings
        Vectors of what columns mean.
    counter
        Counts what is answered.
    """

    live: LiveIndex
    engine: ScoringEngine
    turns: Turns
    exhaustive_below: int
    meanings: Encode = field(default_factory=Meanings)
    counter: SearchCounter = field(default_factory=SearchCounter)

    def answer(self, question: Question, *, min_sequence: int) -> Answer:
        """Answer a question, once the index holds the change `min_sequence`.

        Raises
        ------
        FailedPrecondition
            The index did not follow so far in time (INDEX_BEHIND).
        """
        seconds = min(_LONGEST_WAIT, max(0.0, caller.remaining_seconds() - _RESERVE))
        self.live.wait_for(min_sequence, seconds)
        with self.turns.turn():
            answer = self._search(question)
        self.counter.count(question)
        return answer

    def _search(self, question: Question) -> Answer:
        index = self.live.current
        wanted = question.filter.text.strip()
        worded = self.live.words.matching(wanted) if wanted else None
        same_space = self._same_space(question)
        answer = search(
            index,
            question,
            worded,
            engine=self.engine,
            time_left=caller.remaining_seconds,
            exhaustive_below=self.exhaustive_below,
            same_space=same_space,
        )
        _measure(answer)
        if question.specification is None or not question.across.wanted(answer.advice):
            return answer
        across = search_across(
            index,
            question.specification,
            Admission(question.caller, question.filter, question.excluded, worded),
            same_space=same_space,
            top_k=question.top_k,
            encode=self.meanings,
            time_left=caller.remaining_seconds,
        )
        return replace(answer, across=across)

    def _same_space(self, question: Question) -> SameSpace | None:
        """What tells the task's feature space from others; None where the task says nothing of its columns."""
        task = question.specification
        if task is None or task.input is None or task.encoder or not task.input.descriptions:
            return None
        return SameSpace(task.input, self.meanings)

    def islands(self, principal: Principal) -> list[tuple[IslandIndex, int]]:
        """Islands of which the caller may see a learnware, with the number of those."""
        admission = Admission(principal)
        counted = ((island, island.comparable_count(admission)) for island in self.live.current.islands.values())
        return [(island, count) for island, count in counted if count]

    def island(self, island_id: str, principal: Principal) -> tuple[IslandIndex, int]:
        """One of those islands.

        Raises
        ------
        NotFound
            There is none of that id, or none that the caller may see.
        """
        for island, count in self.islands(principal):
            if island.key.island_id == island_id:
                return island, count
        raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no island {island_id!r}.", resource=island_id)

    def entries(self) -> Iterator[Entry]:
        """All entries, in order of their ids."""
        return self.live.current.entries()


def _measure(answer: Answer) -> None:
    telemetry.SEARCH_SCORED.observe(answer.scored)
    telemetry.SEARCH_ADMITTED.observe(answer.admitted)
    if not answer.certified:
        telemetry.SEARCH_UNCERTIFIED.inc()
