"""A large package is kept while it comes, under the digest it has and under no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
import hashlib
from pathlib import Path

import pytest

from learndock.account import Principal, Role
from learndock.errors import InvalidInput
from learndock.serving.sql import Database, migrate
from services.storage.blobs import FolderBlobs
from services.storage.forwarding import MIN_BYTES, Forwarding
from services.storage.staging import FolderStaging
from services.storage.uploads import Chunk, Upload, UploadLimits, Uploads
from services.storage.wiring import MIGRATIONS

MIB = 2**20
ANN = Principal("ann", "ann", Role.USER)
DATA = bytes(range(256)) * ((MIN_BYTES + MIB) // 256)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Desk:
    """Uploads beside a store of packages."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'storage.db'}"
        migrate(url, MIGRATIONS)
        self.database = Database(url)
        self.blobs = FolderBlobs(folder / "packages")
        staging = FolderStaging(folder / "uploads", Forwarding(self.blobs))
        self.uploads = Uploads(self.database, staging, UploadLimits(2**30, timedelta(hours=1)))

    def start(self, sha256: str) -> Upload:
        with self.database.write() as session:
            return self.uploads.start(session, ANN, size_bytes=len(DATA), learnware_id="", sha256=sha256)

    def send(self, upload: Upload, begin: int = 0, end: int = len(DATA), told: dict[int, str] | None = None) -> None:
        digests = told or {}
        chunks = (Chunk(at, DATA[at : min(at + MIB, end)], digests.get(at, "")) for at in range(begin, end, MIB))
        self.uploads.write(ANN, upload.upload_id, chunks)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


def test_a_package_that_comes_in_one_stream_is_kept_by_its_end(desk: Desk) -> None:
    upload = desk.start(SHA256)
    desk.send(upload)
    assert desk.uploads.forwarded(upload, SHA256)
    assert b"".join(desk.blobs.chunks(SHA256)) == DATA


@pytest.mark.parametrize("told_at", [0, 3 * MIB, len(DATA) - MIB])
def test_the_digest_may_be_told_while_it_comes(desk: Desk, told_at: int) -> None:
    upload = desk.start("")
    desk.send(upload, told={told_at: SHA256})
    assert desk.uploads.forwarded(upload, SHA256)
    assert b"".join(desk.blobs.chunks(SHA256)) == DATA


def test_a_digest_is_told_as_one(desk: Desk) -> None:
    upload = desk.start("")
    with pytest.raises(InvalidInput) as refused:
        desk.send(upload, told={MIB: "no digest"})
    assert refused.value.field == "sha256"
    assert desk.uploads.get(ANN, upload.upload_id).committed_bytes == MIB


def test_it_is_not_kept_under_a_digest_that_it_does_not_have(desk: Desk) -> None:
    wrong = "0" * 64
    upload = desk.start(wrong)
    desk.send(upload)
    assert not desk.uploads.forwarded(upload, wrong)
    assert list(desk.blobs.list_all()) == []


def test_a_digest_that_was_not_announced_is_not_taken_for_the_one_that_was(desk: Desk) -> None:
    upload = desk.start(SHA256)
    desk.send(upload)
    assert not desk.uploads.forwarded(upload, "0" * 64)


@pytest.mark.parametrize("sha256", [SHA256, ""])
def test_what_breaks_off_or_is_not_announced_is_left_to_the_end_of_the_upload(desk: Desk, sha256: str) -> None:
    upload = desk.start(sha256)
    if sha256:
        desk.send(upload, end=20 * MIB)
        desk.send(upload, begin=20 * MIB)
    else:
        desk.send(upload)
    assert not desk.uploads.forwarded(upload, SHA256)
    assert list(desk.blobs.list_all()) == []
    with desk.uploads.collected(upload) as path:
        assert path.read_bytes() == DATA
