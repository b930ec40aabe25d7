"""Every change of the catalogue twice, out of order and late: the index ends equal to the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learndock.package.semantic import semantic_json
from learndock.serving.peers import Peer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from services.search.follower import Follower
from services.search.live import LiveIndex
from services.search.source import CatalogueSource, ChangeStream, News
from tests.support.patience import eventually
from tests.support.search import empty_index
from tests.support.serving import SERVICE_TOKEN
from tests.support.storage import SEMANTIC, Storage, package, served_storage


class DisturbedStream:
    """A stream whose first messages, up to the newest change, come twice and in any order."""

    def __init__(self, stream: ChangeStream, generator: np.random.Generator) -> None:
        self._stream = stream
        self._generator = generator

    def __iter__(self) -> Iterator[News]:
        messages, caught_up = iter(self._stream), False
        while not caught_up:
            held = []
            while not caught_up:
                news = next(messages)
                held.append(news)
                caught_up = news.change is None or news.change.sequence == news.latest
            for position in self._generator.permutation([*range(len(held)), *range(len(held))]):
                yield held[position]
        yield from messages

    def cancel(self) -> None:
        self._stream.cancel()


class DisturbedSource(CatalogueSource):
    """The catalogue, told badly."""

    def __init__(self, storage: Peer, seed: int) -> None:
        super().__init__(storage)
        self._generator = np.random.default_rng(seed)

    def changes(self, live: LiveIndex) -> ChangeStream:
        return DisturbedStream(super().changes(live), self._generator)  # type: ignore[return-value]


@contextmanager
def following(folder: Path, storage: Storage, make: Callable[[Peer], CatalogueSource]) -> Iterator[LiveIndex]:
    peer, live = Peer(storage.served.address, SERVICE_TOKEN), empty_index(folder)
    follower = Follower(live, make(peer))
    follower.start()
    try:
        yield live
    finally:
        follower.stop(10.0)
        peer.close()


def entries(live: LiveIndex) -> list[tuple[str, int, int, str]]:
    return [
        (entry.learnware_id, entry.version, entry.sequence, entry.learnware.semantic_specification.name)
        for entry in live.current.entries()
    ]


def newest(storage: Storage) -> int:
    return int(storage.admin.GetCatalogueSummary(pb.GetCatalogueSummaryRequest()).latest_sequence)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A catalogue in which learnwares were verified, renamed, versioned, deleted and restored."""
    with served_storage(tmp_path_factory.mktemp("storage")) as made:
        several = [made.verified(package(f"number {number}")) for number in range(6)]
        rename(made, several[0], "renamed")
        made.submit(made.ann, package("a second version"), learnware_id=several[1])
        made.verdict(several[1], types_pb2.VERSION_STATE_VERIFIED, version=2)
        for learnware_id in several[2:4]:
            made.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
        made.ann.UndeleteLearnware(pb.UndeleteLearnwareRequest(learnware_id=several[3]))
        made.verdict(
            str(made.submit(made.ann, package("never verified")).learnware.learnware_id),
            types_pb2.VERSION_STATE_REJECTED,
        )
        yield made


def rename(storage: Storage, learnware_id: str, name: str) -> None:
    learnware = storage.ann.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id)).learnware
    learnware.semantic_specification.name = name
    storage.ann.UpdateLearnware(
        pb.UpdateLearnwareRequest(learnware=learnware, update_mask={"paths": ["semantic_specification"]})
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_index_equals_the_catalogue_however_changes_come(storage: Storage, tmp_path: Path, seed: int) -> None:
    with (
        following(tmp_path / "calm", storage, CatalogueSource) as calm,
        following(tmp_path / "disturbed", storage, lambda peer: DisturbedSource(peer, seed)) as disturbed,
    ):
        latest = newest(storage)
        assert eventually(lambda: calm.current.sequence == disturbed.current.sequence == latest)
        assert eventually(lambda: entries(disturbed) == entries(calm))
        listed = storage.service.ListLearnwares(pb.ListLearnwaresRequest(page_size=100)).learnwares
        verified = {
            (one.learnware_id, one.current_version.version)
            for one in listed
            if one.current_version.state == types_pb2.VERSION_STATE_VERIFIED and not one.HasField("delete_time")
        }
        assert {(learnware_id, version) for learnware_id, version, _, _ in entries(disturbed)} == verified
        assert ("renamed", 1) in {(name, version) for _, version, _, name in entries(disturbed)}


def test_a_learnware_that_went_between_its_change_and_the_reading_of_it_stops_nothing(
    storage: Storage, tmp_path: Path
) -> None:
    gone = storage.verified(package("soon gone"))
    storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=gone))
    after = storage.verified(package("after it"))
    with following(tmp_path, storage, CatalogueSource) as live:
        latest = newest(storage)
        assert eventually(lambda: live.current.sequence == latest)
        found = {learnware_id for learnware_id, _, _, _ in entries(live)}
    assert after in found
    assert gone not in found


def test_a_learnware_without_a_statistical_specification_is_in_the_index(storage: Storage, tmp_path: Path) -> None:
    semantic = semantic_json(replace(SEMANTIC, task="Others"))
    bare = storage.verified(package(**{"stat_spec.json": None, "semantic_specification.json": semantic}))
    with following(tmp_path, storage, CatalogueSource) as live:
        latest = newest(storage)
        assert eventually(lambda: live.current.sequence == latest)
        assert [entry.learnware_id for entry in live.current.unplaced.entries] == [bare]
