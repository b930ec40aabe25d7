"""What every place for unfinished uploads promises, to two replicas of the service as to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
import threading

import pytest

from learndock.account import Principal, Role
from learndock.errors import NotFound, OutOfRange, Reason
from learndock.serving.sql import Database, migrate, now
from services.storage.blobs import FolderBlobs
from services.storage.bucket_staging import BucketStaging
from services.storage.forwarding import Forwarding
from services.storage.models import UploadRow
from services.storage.s3_blobs import S3Blobs
from services.storage.s3_drafts import S3Drafts
from services.storage.staging import FolderStaging, Staging
from services.storage.uploads import Chunk, Upload, UploadLimits, Uploads
from services.storage.wiring import MIGRATIONS
from tests.support.databases import DATABASES
from tests.support.s3 import ObjectStore, object_store

MIB = 2**20
ANN = Principal("ann", "ann", Role.USER)
LIMITS = UploadLimits(2**30, timedelta(hours=1))


@dataclass
class Replicas:
    """Two replicas that share what a deployment lets them share."""

    database: Database
    here: Uploads
    there: Uploads
    kept: Callable[[], list[str]]

    def start(self, size_bytes: int) -> Upload:
        with self.database.write() as session:
            return self.here.start(session, ANN, size_bytes=size_bytes, learnware_id="")

    def finish(self, upload: Upload) -> bytes:
        with self.there.collected(self.there.get(ANN, upload.upload_id)) as path:
            return path.read_bytes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture(params=["folder", "bucket"])
def replicas(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Replicas]:
    url = DATABASES["sqlite" if request.param == "folder" else "postgresql"](tmp_path)
    migrate(url, MIGRATIONS)
    database = Database(url)
    if request.param == "folder":
        blobs = FolderBlobs(tmp_path / "packages")
        stagings: list[Staging] = [FolderStaging(tmp_path / "uploads", Forwarding(blobs)) for _ in range(2)]
        kept = lambda: [path.name for path in (tmp_path / "uploads").iterdir()]  # noqa: E731
    else:
        bucket = request.getfixturevalue("server").bucket("drafts")
        S3Blobs(bucket)  # makes the bucket
        drafts = S3Drafts(bucket)
        stagings = [BucketStaging(database, drafts, tmp_path / name) for name in ("one", "two")]
        kept = lambda: sorted(drafts.older_than(timedelta(seconds=-60)))  # noqa: E731
    here, there = (Uploads(database, staging, LIMITS) for staging in stagings)
    yield Replicas(database, here, there, kept)
    database.close()


def breaking(*chunks: Chunk) -> Iterator[Chunk]:
    yield from chunks
    raise ConnectionError


def test_another_replica_goes_on_where_one_broke_off(replicas: Replicas) -> None:
    data = bytes(range(256)) * (20 * MIB // 256)
    upload = replicas.start(len(data))
    for writer, begin, end in (
        (replicas.here, 0, 17),
        (replicas.there, 17, 18),
        (replicas.here, 18, 20),
    ):
        assert replicas.there.get(ANN, upload.upload_id).committed_bytes == begin * MIB
        pieces = [Chunk(at * MIB, data[at * MIB : (at + 1) * MIB]) for at in range(begin, end)]
        with pytest.raises(ConnectionError):
            writer.write(ANN, upload.upload_id, breaking(*pieces))
    assert replicas.here.get(ANN, upload.upload_id).committed_bytes == len(data)
    assert replicas.finish(upload) == data


def test_nothing_is_committed_twice_by_two_streams(replicas: Replicas) -> None:
    """A former stream that still hangs at one replica ends before or instead of its successor at another."""
    upload = replicas.start(12)
    taken, gone_on = threading.Event(), threading.Event()

    def hanging() -> Iterator[Chunk]:
        yield Chunk(0, b"first ")
        taken.set()
        gone_on.wait(30)

    refused: list[OutOfRange] = []

    def write_here() -> None:
        try:
            replicas.here.write(ANN, upload.upload_id, hanging())
        except OutOfRange as error:
            refused.append(error)

    former = threading.Thread(target=write_here)
    former.start()
    taken.wait(30)
    threading.Timer(0.2, gone_on.set).start()
    try:
        replicas.there.write(ANN, upload.upload_id, [Chunk(0, b"second")])
    except OutOfRange as error:
        refused.append(error)
    former.join()
    assert [each.reason for each in refused] == [Reason.OFFSET_MISMATCH]
    assert replicas.here.get(ANN, upload.upload_id).committed_bytes == 6
    replicas.here.write(ANN, upload.upload_id, [Chunk(6, b"stream")])
    assert replicas.finish(upload) in (b"first stream", b"secondstream")


def test_cancelling_at_another_replica_leaves_nothing(replicas: Replicas) -> None:
    upload = replicas.start(10)
    replicas.here.write(ANN, upload.upload_id, [Chunk(0, b"01234")])
    replicas.there.cancel(upload.upload_id)
    with pytest.raises(NotFound):
        replicas.here.get(ANN, upload.upload_id)
    assert upload.upload_id not in replicas.kept()


def test_a_stream_of_a_cancelled_upload_ends(replicas: Replicas) -> None:
    upload = replicas.start(10)

    def cancelled() -> Iterator[Chunk]:
        yield Chunk(0, b"01234")
        replicas.there.cancel(upload.upload_id)
        yield Chunk(5, b"56789")

    with pytest.raises(NotFound):
        replicas.here.write(ANN, upload.upload_id, cancelled())


def test_uploads_that_nobody_goes_on_with_are_forgotten(replicas: Replicas) -> None:
    upload, living = replicas.start(10), replicas.start(10)
    for each in (upload, living):
        replicas.here.write(ANN, each.upload_id, [Chunk(0, b"01234")])
    with replicas.database.write() as session:
        session.get_one(UploadRow, upload.upload_id).expire_time = now()
    assert replicas.there.purge_expired() == 1
    assert upload.upload_id not in replicas.kept()
    replicas.there.write(ANN, living.upload_id, [Chunk(5, b"56789")])
    assert replicas.finish(living) == b"0123456789"
