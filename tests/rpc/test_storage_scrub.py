"""Packages are read back, and what is damaged is put aside until it is uploaded again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading

import pytest

from learndock.errors import AlreadyExists
from learndock.serving.sql import Database
from learndock.serving.telemetry import PACKAGES_DAMAGED, PACKAGES_SCRUBBED
from services.storage.blobs import FolderBlobs
from services.storage.scrub import Scrub
from tests.support.storage import Storage, blob_path, download, package, served_storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path, scrub_days=0.0) as made:
        yield made


@pytest.fixture
def scrub(storage: Storage) -> Iterator[Scrub]:
    database = Database(f"sqlite:///{storage.folder / 'storage.db'}")
    blobs = FolderBlobs(storage.folder / "packages")
    yield Scrub(database, blobs, bytes_per_second=2**30, interval_seconds=0.0)
    database.close()


def damage(storage: Storage, data: bytes) -> None:
    path = storage.folder / "packages" / blob_path(data)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_every_package_is_read_and_only_damaged_ones_are_put_aside(storage: Storage, scrub: Scrub) -> None:
    made = {note: storage.submit(storage.ann, package(note)).learnware.learnware_id for note in "12345"}
    read, found = PACKAGES_SCRUBBED._value.get(), PACKAGES_DAMAGED._value.get()
    damage(storage, package("3"))
    assert scrub.run_round() == [blob_path(package("3")).name]
    assert (PACKAGES_SCRUBBED._value.get() - read, PACKAGES_DAMAGED._value.get() - found) == (5, 1)
    assert [fault.subject for fault in storage.faults()] == [f"{made['3']} version 1"]
    assert len(list((storage.folder / "packages" / "quarantine").iterdir())) == 1
    assert scrub.run_round() == []


def test_uploading_again_makes_it_whole(storage: Storage, scrub: Scrub) -> None:
    learnware_id = storage.verified(package())
    damage(storage, package())
    scrub.run_round()
    with pytest.raises(AlreadyExists):
        storage.submit(storage.ann, package())
    assert download(storage.ann, learnware_id) == package()
    assert storage.faults() == []


class Waits(threading.Event):
    """Remembers how long it was waited for, and does not wait."""

    waited = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.waited += timeout or 0.0
        return False


def test_the_rate_is_bounded(storage: Storage, scrub: Scrub) -> None:
    for note in "12":
        storage.submit(storage.ann, package(note))
    scrub._bytes_per_second = len(package("1")) / 60
    scrub._stopping = waits = Waits()
    scrub.run_round()
    assert 60 < waits.waited <= 120
