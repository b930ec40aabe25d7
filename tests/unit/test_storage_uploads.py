"""Uploads survive what kills them: a broken stream, a killed service, a lost page cache."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
import os
from pathlib import Path

import pytest

from learndock.account import Principal, Role
from learndock.errors import InvalidInput, NotFound, OutOfRange, Reason, ResourceExhausted
from learndock.serving.sql import Database, migrate
from services.storage import wiring
from services.storage.blobs import FolderBlobs
from services.storage.forwarding import Forwarding
from services.storage.models import UploadRow
from services.storage.staging import FolderStaging
from services.storage.uploads import Chunk, Upload, UploadLimits, Uploads

ANN = Principal("ann", "ann", Role.USER)
BOB = Principal("bob", "bob", Role.USER)
MIGRATIONS = Path(wiring.__file__).parent / "migrations"


class Desk:
    """Uploads on a database of their own."""

    def __init__(self, folder: Path, lifetime: timedelta = timedelta(hours=1)) -> None:
        self.folder = folder
        url = f"sqlite:///{folder / 'storage.db'}"
        migrate(url, MIGRATIONS)
        self.database = Database(url)
        self.staging = FolderStaging(folder / "uploads", Forwarding(FolderBlobs(folder / "packages")))
        self.uploads = Uploads(self.database, self.staging, UploadLimits(1000, lifetime))

    def start(self, size_bytes: int) -> Upload:
        with self.database.write() as session:
            return self.uploads.start(session, ANN, size_bytes=size_bytes, learnware_id="")

    def committed(self, upload: Upload) -> int:
        return self.uploads.get(ANN, upload.upload_id).committed_bytes

    def write(self, upload: Upload, *chunks: Chunk) -> int:
        return self.uploads.write(ANN, upload.upload_id, chunks).committed_bytes

    def file(self, upload: Upload) -> Path:
        return self.folder / "uploads" / upload.upload_id


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


def test_chunks_are_appended_and_committed(desk: Desk) -> None:
    upload = desk.start(10)
    assert desk.committed(upload) == 0
    assert desk.write(upload, Chunk(0, b"01234"), Chunk(5, b"567")) == 8
    assert desk.write(upload, Chunk(8, b"89")) == 10
    assert desk.file(upload).read_bytes() == b"0123456789"


def test_what_came_before_the_break_is_committed(desk: Desk) -> None:
    upload = desk.start(10)

    def breaking() -> Iterator[Chunk]:
        yield Chunk(0, b"01234")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        desk.uploads.write(ANN, upload.upload_id, breaking())
    assert desk.committed(upload) == 5
    assert desk.write(upload, Chunk(5, b"56789")) == 10


def test_bytes_beyond_the_row_are_cut_off(desk: Desk) -> None:
    """The service was killed after a write and before its commit."""
    upload = desk.start(10)
    desk.write(upload, Chunk(0, b"01234"))
    with desk.file(upload).open("ab") as file:
        file.write(b"garbage")
    assert desk.committed(upload) == 5
    assert desk.write(upload, Chunk(5, b"56789")) == 10
    assert desk.file(upload).read_bytes() == b"0123456789"


@pytest.mark.parametrize("left", [0, 3, None])
def test_bytes_that_the_disk_lost_are_asked_for_again(desk: Desk, left: int | None) -> None:
    upload = desk.start(10)
    desk.write(upload, Chunk(0, b"0123456789"))
    if left is None:
        desk.file(upload).unlink()
    else:
        os.truncate(desk.file(upload), left)
    assert desk.committed(upload) == (left or 0)
    assert desk.write(upload, Chunk(left or 0, b"0123456789"[left or 0 :])) == 10
    assert desk.file(upload).read_bytes() == b"0123456789"


def test_a_chunk_for_another_place_is_refused_with_the_committed_offset(desk: Desk) -> None:
    upload = desk.start(10)
    with pytest.raises(OutOfRange) as caught:
        desk.write(upload, Chunk(0, b"01234"), Chunk(6, b"x"))
    assert caught.value.reason is Reason.OFFSET_MISMATCH
    assert caught.value.resource == "5"
    assert desk.committed(upload) == 5


def test_limits_hold(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        desk.start(0)
    with pytest.raises(ResourceExhausted) as caught:
        desk.start(1001)
    assert caught.value.reason is Reason.PACKAGE_TOO_LARGE
    upload = desk.start(3)
    for data in (b"four", bytes(2**20 + 1)):
        with pytest.raises(InvalidInput):
            desk.write(upload, Chunk(0, data))


def test_uploads_of_others_do_not_exist(desk: Desk) -> None:
    upload = desk.start(10)
    for upload_id in (upload.upload_id, "none", "../storage.db", ""):
        with pytest.raises(NotFound):
            desk.uploads.get(BOB, upload_id)
        with pytest.raises(NotFound):
            desk.uploads.write(BOB, upload_id, [Chunk(0, b"x")])
    assert list((desk.folder / "uploads").iterdir()) == []


def test_cancelling_leaves_nothing(desk: Desk) -> None:
    upload = desk.start(10)
    desk.write(upload, Chunk(0, b"01234"))
    desk.uploads.cancel(upload.upload_id)
    assert list((desk.folder / "uploads").iterdir()) == []
    with pytest.raises(NotFound):
        desk.committed(upload)


def test_abandoned_uploads_are_forgotten(tmp_path: Path) -> None:
    desk = Desk(tmp_path, lifetime=timedelta(seconds=-1))
    upload = desk.start(10)
    desk.file(upload).write_bytes(b"01234")
    os.utime(desk.file(upload), (0, 0))
    with pytest.raises(NotFound):
        desk.committed(upload)
    assert desk.uploads.purge_expired() == 1
    assert not desk.file(upload).exists()
    with desk.database.read() as session:
        assert session.query(UploadRow).count() == 0
    desk.database.close()


def test_living_uploads_stay(desk: Desk) -> None:
    upload = desk.start(10)
    desk.write(upload, Chunk(0, b"01234"))
    assert desk.uploads.purge_expired() == 0
    assert desk.write(upload, Chunk(5, b"56789")) == 10
