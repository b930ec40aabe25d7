"""The port between a search and what scores for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.search.certified import Budget, Candidates, Mode, Ranking
from services.search.index import DockIndex
from services.search.scoring import Task


@dataclass(frozen=True)
class EngineStatus:
    """How an engine is.

    Attributes
    ----------
    name
        Which one it is.
    parts
        Parts that it has.
    ready
        Parts that can answer.
    """

    name: str
    parts: int = 1
    ready: int = 1


class ScoringEngine(Protocol):
    """Holds the learnwares of islands and ranks them by exact distances.

    Life cycle: `hold` is told of every index before a search can see it, and from then on `rank` is asked about islands
    of it, by any number of threads at once. An island of an index is immutable, so what the engine holds of it never
    changes; it lets go of what no index holds any more. `close` ends it.

    Whatever the engine, the same candidates and task give the same best k, in the same order.
    """

    def hold(self, index: DockIndex) -> None:
        """Make the islands of an index ready to be asked about."""

    def rank(
        self, candidates: Candidates, task: Task, *, k: int, mode: Mode, budget: Budget, exhaustive_below: int
    ) -> Ranking:
        """The k candidates that are nearest to a task, with the proof if there is one; see `certified.rank`.

        Raises
        ------
        Unavailable
            Part of the island cannot be reached now (SERVICE_UNAVAILABLE).
        """

    def status(self) -> EngineStatus:
        """How the engine is."""

    def close(self) -> None:
        """Let go of everything."""
