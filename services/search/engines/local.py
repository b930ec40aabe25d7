"""The engine in this process."""

from __future__ import annotations

from services.search import certified
from services.search.certified import Budget, Candidates, Mode, Ranking
from services.search.engines.port import EngineStatus, ScoringEngine
from services.search.index import DockIndex
from services.search.scoring import Task


def local_engine(device: str) -> ScoringEngine:
    """The engine of this process: on a torch device, or on the processor where none is named."""
    if not device:
        return LocalEngine()
    from services.search.engines.resident import ResidentEngine  # torch is large, and most docks need none of it

    return ResidentEngine(device)


class LocalEngine:
    """Scores on the processor, in the thread that asks, what the index itself holds."""

    def hold(self, index: DockIndex) -> None:
        """Nothing is to be done: an index holds its banks."""

    def rank(
        self, candidates: Candidates, task: Task, *, k: int, mode: Mode, budget: Budget, exhaustive_below: int
    ) -> Ranking:
        """The k candidates that are nearest to a task; see `certified.rank`."""
        return certified.rank(candidates, task, k=k, mode=mode, budget=budget, exhaustive_below=exhaustive_below)

    def status(self) -> EngineStatus:
        """Always ready."""
        return EngineStatus("local")

    def close(self) -> None:
        """Nothing is held."""
