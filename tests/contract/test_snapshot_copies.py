"""Copies of the index's snapshot in a real bucket: whole or none, shared by replicas, enough to start from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
import shutil
from uuid import uuid4

import numpy as np
import pytest

from learndock.account import Role
from learndock.errors import Unavailable
from learndock.serving.s3 import Bucket, open_client
from learndock.v1 import search_service_pb2 as pb
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import specification_to_message
from services.search import packs, snapshot_copies, wiring
from services.search.config import Settings
from services.search.copier import Copier
from services.search.live import Change, LiveIndex
from services.search.snapshot import SnapshotFile
from services.search.snapshot_copies import SnapshotCopies
from tests.support.patience import eventually
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, free_ports, object_store
from tests.support.search import filled_index, learnware, specification
from tests.support.serving import SERVICE_TOKEN, serve

SEGMENT = 2**12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def bucket(store: ObjectStore) -> Bucket:
    return replace(store.bucket("learndock-index"), prefix=f"{uuid4().hex}/")


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (packs, snapshot_copies):
        monkeypatch.setattr(module, "SEGMENT_BYTES", SEGMENT)


class Replica:
    """An index with its snapshot on a disk of its own, and the bucket that it shares."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        self.folder = folder
        self.snapshots = SnapshotFile(folder / "index.snapshot", folder / "packs")
        self.copies = SnapshotCopies(bucket, self.snapshots)

    def copy(self, live: LiveIndex) -> bool:
        self.snapshots.save(live.saved_state())
        return self.copies.save(wanted=lambda: True)

    def started(self) -> list[str] | None:
        """Ids that an index holds which starts from the copy; None when it cannot."""
        saved = self.snapshots.load() if self.copies.fetch() else None
        return [entry.learnware_id for entry in saved.index.entries()] if saved is not None else None


def grow(live: LiveIndex, generator: np.random.Generator, last: int) -> None:
    for number in range(live.applied + 1, last + 1):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification(generator, atoms=7)))
    live.publish()


def parts(bucket: Bucket) -> set[str]:
    items = open_client(bucket).list_objects(bucket.name, f"{bucket.prefix}parts/")
    return {str(item.object_name) for item in items}


def test_another_machine_starts_from_a_copy(tmp_path: Path, bucket: Bucket, generator: np.random.Generator) -> None:
    live = filled_index(tmp_path / "first", [specification(generator, atoms=7) for _ in range(100)])
    first, second = Replica(tmp_path / "first", bucket), Replica(tmp_path / "second", bucket)
    assert second.started() is None
    assert first.copy(live)
    assert second.started() == [entry.learnware_id for entry in live.current.entries()]


def test_segments_that_are_full_are_sent_once(tmp_path: Path, bucket: Bucket, generator: np.random.Generator) -> None:
    live = filled_index(tmp_path / "first", [specification(generator, atoms=7) for _ in range(200)])
    replica = Replica(tmp_path / "first", bucket)
    replica.copy(live)
    before = parts(bucket)
    assert len(before) > 4
    grow(live, generator, 201)
    replica.copy(live)
    assert len(parts(bucket) - before) == 2  # the last segment, and the snapshot


def test_a_copy_that_was_given_up_leaves_the_one_before(
    tmp_path: Path, bucket: Bucket, generator: np.random.Generator
) -> None:
    live = filled_index(tmp_path / "first", [specification(generator, atoms=7) for _ in range(50)])
    replica, other = Replica(tmp_path / "first", bucket), Replica(tmp_path / "second", bucket)
    replica.copy(live)
    grow(live, generator, 300)
    replica.snapshots.save(live.saved_state())
    asked: list[bool] = []
    assert not replica.copies.save(wanted=lambda: asked.append(True) is None and len(asked) < 3)
    assert len(other.started() or ()) == 50


def test_what_no_copy_needs_is_removed(
    tmp_path: Path, bucket: Bucket, generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = filled_index(tmp_path / "first", [specification(generator, atoms=7) for _ in range(50)])
    replica = Replica(tmp_path / "first", bucket)
    replica.copy(live)
    monkeypatch.setattr(snapshot_copies, "_LEFT_FOR", timedelta(days=-1))
    grow(live, generator, 60)
    replica.copy(live)
    latest = replica.copies.latest()
    assert latest is not None
    assert parts(bucket) == {f"{bucket.prefix}parts/{sha256}" for sha256 in latest.parts}


@pytest.mark.parametrize("harm", ["removed", "flipped"])
def test_a_damaged_copy_is_none_and_is_made_anew(
    tmp_path: Path, bucket: Bucket, generator: np.random.Generator, harm: str
) -> None:
    live = filled_index(tmp_path / "first", [specification(generator, atoms=7) for _ in range(50)])
    replica = Replica(tmp_path / "first", bucket)
    replica.copy(live)
    client, name = open_client(bucket), min(parts(bucket))
    if harm == "removed":
        client.remove_object(bucket.name, name)
    else:
        file = tmp_path / "part"
        client.fget_object(bucket.name, name, str(file))
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        client.fput_object(bucket.name, name, str(file))
    other = Replica(tmp_path / "second", bucket)
    assert other.started() is None
    assert Copier(replica.copies, replica.snapshots, timedelta(0))._due()
    assert replica.copies.save(wanted=lambda: True)
    assert len(other.started() or ()) == 50


def test_replicas_make_one_copy_in_an_interval(tmp_path: Path, bucket: Bucket, generator: np.random.Generator) -> None:
    specifications = [specification(generator, atoms=7) for _ in range(50)]
    first, second = Replica(tmp_path / "first", bucket), Replica(tmp_path / "second", bucket)
    live = filled_index(first.folder, specifications)
    first.copy(live)
    other = filled_index(second.folder, specifications)
    grow(other, generator, 60)
    second.snapshots.save(other.saved_state())
    patient = Copier(second.copies, second.snapshots, timedelta(hours=1))
    assert not patient._due()
    eager = Copier(second.copies, second.snapshots, timedelta(milliseconds=1))
    eager.start()
    assert eventually(lambda: (latest := first.copies.latest()) is not None and latest.sequence == 60)
    eager.stop(10.0)
    assert not eager._due()  # nothing has changed since


def test_a_bucket_that_is_away_is_told(tmp_path: Path) -> None:
    nowhere = Bucket(f"127.0.0.1:{free_ports(1)[0]}", "learndock-index", ACCESS_KEY, SECRET_KEY, secure=False)
    with pytest.raises(Unavailable):
        Replica(tmp_path, nowhere).copies.fetch()


def test_a_service_with_an_empty_disk_answers_from_the_copy_while_the_catalogue_is_away(
    tmp_path: Path, bucket: Bucket, generator: np.random.Generator
) -> None:
    task = specification(generator, atoms=7)
    live = filled_index(tmp_path / "first", [task, *(specification(generator, atoms=7) for _ in range(50))])
    Replica(tmp_path / "first", bucket).copy(live)
    shutil.rmtree(tmp_path / "first")
    settings = Settings(
        data_dir=tmp_path / "second",
        storage_address=f"127.0.0.1:{free_ports(1)[0]}",
        service_token=SERVICE_TOKEN,
        s3_endpoint=bucket.endpoint,
        s3_bucket=bucket.name,
        s3_prefix=bucket.prefix,
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        s3_secure=False,
    )
    with serve(wiring.build(settings)) as served:
        stub = SearchServiceStub(served.channel_as(Role.USER))
        answer = stub.Search(pb.SearchRequest(specification=specification_to_message(task)))
    assert answer.singles[0].learnware_id == "00000001"
    assert answer.certificate.certified
    assert answer.as_of_sequence == 51
