"""The engine whose islands are divided among shards: it asks all of them, and merges what they prove.

Each shard proves its own best k; the best k of those are the best k of all, so the merge of certified answers is
certified. A shard may have several copies; one that is lost is filled again while the others answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from itertools import count
import sys
import threading

from learndock.errors import Reason, Unavailable
from learndock.serving import telemetry
from services.search.certified import Budget, Candidates, Mode, Ranking
from services.search.engines.partition import DividedIsland, Division
from services.search.engines.port import EngineStatus
from services.search.engines.rankings import merged
from services.search.engines.replica import Replica, ShardLostError
from services.search.engines.shard import ShardQuestion, ShardRanking, Terms
from services.search.index import DockIndex
from services.search.scoring import Task
from services.search.tally import Scored

# Between two attempts to fill a copy that was lost, in seconds.
_MENDING_PAUSE = 0.5
_RETRY_AFTER = 1.0


class ShardedEngine:
    """Ranks through shards.

    Parameters
    ----------
    name
        What the engine is called.
    replicas
        The copies of each shard, at least one each.
    """

    def __init__(self, name: str, replicas: Sequence[Sequence[Replica]]) -> None:
        self._name = name
        self._replicas = replicas
        self._all = [replica for copies in replicas for replica in copies]
        self._division = Division(len(replicas))
        self._filling = ThreadPoolExecutor(len(self._all), thread_name_prefix="fill-shard")
        self._turns = count()
        self._lost = threading.Event()
        self._closing = threading.Event()
        self._mender = threading.Thread(target=self._mend, name="mend-shards", daemon=True)
        self._mender.start()

    def hold(self, index: DockIndex) -> None:
        """Tell every shard what is new. Copies that are lost do not keep the rest waiting."""
        self._division.add(index)
        self._fill([replica for replica in self._all if not replica.lost])

    def rank(
        self, candidates: Candidates, task: Task, *, k: int, mode: Mode, budget: Budget, exhaustive_below: int
    ) -> Ranking:
        """The k candidates that are nearest to a task; see `ScoringEngine.rank`."""
        divided = self._division.of(candidates.island)
        # Whether to score all is decided by the number of candidates, not by that of a shard's share of them.
        below = sys.maxsize if candidates.count < exhaustive_below else 0
        terms = Terms(k, mode, budget.time_left(), below)
        turn = next(self._turns)
        answers = [
            self._ask(self._by_turns(shard, turn), _question(divided, candidates, task, shard, share, terms))
            for shard, share in enumerate(_shares(budget.max_scored, len(self._replicas)))
        ]
        return merged([_ranking(divided, answer()) for answer in answers], k)

    def status(self) -> EngineStatus:
        """How many of the copies can answer."""
        return EngineStatus(self._name, len(self._all), sum(replica.ready for replica in self._all))

    def close(self) -> None:
        """Stop mending."""
        self._closing.set()
        self._lost.set()
        self._mender.join()
        self._filling.shutdown()

    def _by_turns(self, shard: int, turn: int) -> list[Replica]:
        """The copies of a shard that can answer, another one first each time."""
        copies = self._replicas[shard]
        first = turn % len(copies)
        return [replica for replica in (*copies[first:], *copies[:first]) if replica.ready]

    def _ask(self, ready: Sequence[Replica], question: ShardQuestion) -> Callable[[], ShardRanking]:
        """Ask the first of some copies, and return what waits for its answer, or asks the next where it is lost."""
        asked = [replica.remote.rank(question) for replica in ready[:1]]

        def answer() -> ShardRanking:
            for replica in ready:
                try:
                    return (asked.pop() if asked else replica.remote.rank(question))()
                except ShardLostError:
                    replica.lose()
                    self._lost.set()
            raise Unavailable(
                Reason.SERVICE_UNAVAILABLE,
                "Part of the index is being loaded anew; try again in a moment.",
                retry_after=_RETRY_AFTER,
            )

        return answer

    def _fill(self, replicas: Sequence[Replica]) -> None:
        living = self._division.living()
        list(self._filling.map(lambda replica: replica.fill(living), replicas))
        telemetry.SHARDS_LOST.set(sum(replica.lost for replica in self._all))
        if any(replica.lost for replica in replicas):
            self._lost.set()

    def _mend(self) -> None:
        while not self._closing.is_set():
            self._lost.wait()
            self._lost.clear()
            self._fill([replica for replica in self._all if replica.lost])
            self._closing.wait(_MENDING_PAUSE if self._lost.is_set() else 0.0)


def _shares(max_scored: int | None, shards: int) -> list[int | None]:
    """A budget of exact scores, divided."""
    if max_scored is None:
        return [None] * shards
    return [max_scored // shards + (shard < max_scored % shards) for shard in range(shards)]


def _question(
    divided: DividedIsland,
    candidates: Candidates,
    task: Task,
    shard: int,
    max_scored: int | None,
    terms: Terms,
) -> ShardQuestion:
    return ShardQuestion(
        island=divided.number,
        in_large=candidates.in_large[divided.large.deal.positions[shard]],
        in_small=candidates.in_small[divided.small.deal.positions[shard]],
        max_scored=max_scored,
        task={field.name: getattr(task, field.name) for field in fields(task) if field.name != "profile"},
        terms=terms,
    )


def _ranking(divided: DividedIsland, answer: ShardRanking) -> Ranking:
    placed = divided.placed(answer.sequences)
    scored = (Scored(one, float(mmd2)) for one, mmd2 in zip(placed, answer.mmd2, strict=True))
    return Ranking(tuple(scored), answer.certified)
