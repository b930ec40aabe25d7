"""Shards in this process: copies, loss, mending, and what shards are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import gc
from pathlib import Path

import numpy as np
import pytest

from learndock.errors import Unavailable
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.engines.replica import Replica, ShardLostError
from services.search.engines.shard import Holdings, NotHeldError, Record, Shard, ShardQuestion, ShardRanking
from services.search.engines.sharded import ShardedEngine
from services.search.index import DockIndex
from services.search.live import Change, LiveIndex
from services.search.search import search
from tests.support.patience import eventually
from tests.support.search import empty_index, learnware, question, specification


class NearShard:
    """A shard in this process, which can be lost and begin anew."""

    def __init__(self) -> None:
        self._shard = Shard(LocalEngine())
        self._reachable = True
        self.taken: list[Record] = []
        self.held: Holdings | None = None

    def cut_off(self) -> None:
        self._reachable = False

    def begin_anew(self) -> None:
        self._shard.close()
        self._shard, self._reachable = Shard(LocalEngine()), True

    def take(self, records: Sequence[Record]) -> None:
        self._reach().take(records)
        self.taken += records

    def hold(self, holdings: Holdings) -> None:
        with told_as_lost():
            self._reach().hold(holdings)
        self.held = holdings

    def rank(self, asked: ShardQuestion) -> Callable[[], ShardRanking]:
        def answer() -> ShardRanking:
            with told_as_lost():
                return self._reach().rank(asked)

        return answer

    def _reach(self) -> Shard:
        if not self._reachable:
            raise ShardLostError("cut off")
        return self._shard

    def close(self) -> None:
        self._shard.close()


class told_as_lost:  # noqa: N801  # a context manager
    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, NotHeldError):
            raise ShardLostError(repr(error)) from error


class Sharded:
    """Two shards of two copies each."""

    def __init__(self) -> None:
        self.shards = [[NearShard(), NearShard()], [NearShard(), NearShard()]]
        self.engine = ShardedEngine(
            "near", [[Replica(copy, number) for copy in copies] for number, copies in enumerate(self.shards)]
        )

    def close(self) -> None:
        self.engine.close()
        for copies in self.shards:
            for copy in copies:
                copy.close()


@pytest.fixture
def sharded() -> Iterator[Sharded]:
    made = Sharded()
    yield made
    made.close()


@pytest.fixture
def specifications() -> list[Specification]:
    generator = np.random.default_rng(0)
    return [specification(generator) for _ in range(20)]


@pytest.fixture
def live(sharded: Sharded, specifications: list[Specification], tmp_path: Path) -> LiveIndex:
    made = empty_index(tmp_path / "dock", sharded.engine)
    for number, one in enumerate(specifications, start=1):
        made.apply(Change(number, learnware(number), searchable=True, specification=one))
    made.publish()
    return made


def nearest(sharded: Sharded, index: DockIndex, task: Specification) -> str:
    asked = question(task, top_k=1, mode=Mode.EXHAUSTIVE)
    answer = search(index, asked, None, engine=sharded.engine, time_left=lambda: 60.0, exhaustive_below=0)
    assert answer.certified
    assert answer.scored == len(list(index.entries()))
    return answer.singles[0].entry.learnware_id


def test_while_a_copy_is_lost_the_other_answers(
    sharded: Sharded, live: LiveIndex, specifications: list[Specification]
) -> None:
    sharded.shards[0][0].cut_off()
    for number, task in enumerate(specifications, start=1):
        assert nearest(sharded, live.current, task) == f"{number:08d}"
    assert sharded.engine.status().ready == 3
    sharded.shards[0][0].begin_anew()
    assert eventually(lambda: sharded.engine.status().ready == 4)
    sharded.shards[0][1].cut_off()
    assert nearest(sharded, live.current, specifications[6]) == "00000007"


def test_without_any_copy_searches_are_refused_and_the_index_still_follows(
    sharded: Sharded, live: LiveIndex, specifications: list[Specification]
) -> None:
    for copy in sharded.shards[1]:
        copy.cut_off()
    with pytest.raises(Unavailable) as caught:
        nearest(sharded, live.current, specifications[0])
    assert caught.value.retry_after
    live.apply(Change(21, learnware(1), searchable=False))
    assert live.publish().sequence == 21
    for copy in sharded.shards[1]:
        copy.begin_anew()
    assert eventually(lambda: sharded.engine.status().ready == 4)
    assert nearest(sharded, live.current, specifications[0]) != "00000001"


def test_a_copy_that_began_anew_unnoticed_is_found_out(
    sharded: Sharded, live: LiveIndex, specifications: list[Specification]
) -> None:
    for copies in sharded.shards:
        copies[0].begin_anew()
    for number, task in enumerate(specifications, start=1):
        assert nearest(sharded, live.current, task) == f"{number:08d}"
    assert eventually(lambda: sharded.engine.status().ready == 4)
    live.publish()


def test_a_shard_is_told_of_each_specification_once_and_drops_what_nobody_holds(
    sharded: Sharded, live: LiveIndex
) -> None:
    copy = sharded.shards[0][0]
    assert len(copy.taken) == 10
    generator = np.random.default_rng(1)
    for sequence in range(21, 31):
        one = specification(generator)
        live.apply(Change(sequence, learnware(sequence), searchable=True, specification=one))
        live.publish()
        gc.collect()
    live.publish()
    assert len(copy.taken) == 15
    assert copy.held is not None
    assert len(copy.held.kept_islands) <= 2


def test_sequences_that_are_used_again_are_not_mistaken(
    sharded: Sharded, live: LiveIndex, specifications: list[Specification]
) -> None:
    fresh = live.beginning()
    for number, one in enumerate(reversed(specifications), start=1):
        fresh.apply(Change(number, learnware(number), searchable=True, specification=one))
    assert live.adopt(fresh, even_behind=True)
    assert nearest(sharded, live.current, specifications[0]) == "00000020"


def test_specifications_that_are_held_twice_are_counted_once(sharded: Sharded, live: LiveIndex) -> None:
    held = live.held_specification("00000003", 1)
    live.apply(Change(21, learnware(3, name="renamed"), searchable=True, specification=held))
    live.publish()
    task = Specification(atoms=held.atoms, weights=held.weights)
    assert nearest(sharded, live.current, task) == "00000003"
