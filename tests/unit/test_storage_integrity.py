"""What is wrong is found, what is left over is removed, and a killed submission can be finished."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
import hashlib
import os
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import delete, update

from learndock.account import Principal, Role
from learndock.errors import DataLoss, NotFound
from learndock.learnware import Visibility
from learndock.serving.sql import Database, migrate
from services.storage import catalogue, wiring
from services.storage.blobs import FolderBlobs
from services.storage.changes import ChangeFeed
from services.storage.collection import Collection
from services.storage.forwarding import Forwarding
from services.storage.housekeeping import Housekeeping
from services.storage.integrity import IntegrityCheck
from services.storage.models import ChangeRow, ContentRow, LearnwareRow, VersionRow
from services.storage.staging import FolderStaging
from services.storage.submission import PackageDesk, Submission
from services.storage.uploads import Chunk, UploadLimits, Uploads
from services.storage.verdicts import Verdict, VersionState, record_verdict
from tests.support.storage import package

ANN = Principal("ann", "ann", Role.USER)
SERVICE = Principal("service", "service", Role.SERVICE)
MIGRATIONS = Path(wiring.__file__).parent / "migrations"
HOUR = timedelta(hours=1)


class Killed(BaseException):
    """Ends a submission as a signal would: nothing that was meant to come after it comes."""


class Dock:
    """The parts of a storage service, without the service."""

    def __init__(self, folder: Path) -> None:
        url = f"sqlite:///{folder / 'storage.db'}"
        migrate(url, MIGRATIONS)
        self.folder = folder
        self.database = Database(url)
        self.feed = ChangeFeed(self.database, 0.1)
        self.blobs = FolderBlobs(folder / "packages")
        staging = FolderStaging(folder / "uploads", Forwarding(self.blobs))
        self.uploads = Uploads(self.database, staging, UploadLimits(2**20, HOUR))
        self.desk = PackageDesk(self.database, self.blobs, self.uploads)

    def upload(self, data: bytes) -> Submission:
        with self.database.write() as session:
            upload = self.uploads.start(session, ANN, size_bytes=len(data), learnware_id="")
        self.uploads.write(ANN, upload.upload_id, [Chunk(0, data)])
        return self.submission(upload.upload_id, data)

    def submission(self, upload_id: str, data: bytes) -> Submission:
        upload = self.uploads.get(ANN, upload_id)
        return Submission(upload, hashlib.sha256(data).hexdigest(), None, Visibility.PUBLIC)

    def finish(self, submission: Submission) -> str:
        with self.desk.examined(ANN, submission) as inspection, self.feed.transaction() as session:
            return self.desk.enter(session, ANN, submission, inspection)[0].learnware_id

    def verify(self, learnware_id: str) -> None:
        with self.feed.transaction() as session:
            record_verdict(session, SERVICE, learnware_id, 1, Verdict(VersionState.VERIFIED, uuid4().hex, 1))

    def faults(self, grace: timedelta = HOUR) -> list[tuple[str, str]]:
        check = IntegrityCheck(self.database, self.feed, self.blobs, Collection(self.database, self.blobs, grace))
        return [(fault.invariant, fault.subject) for fault in check.run(read_packages=True)]

    def sweep(self, *, undelete: timedelta = HOUR, orphans: timedelta = HOUR) -> dict[str, int]:
        worker = Housekeeping(
            self.database,
            Collection(self.database, self.blobs, orphans),
            self.uploads,
            undelete_window=undelete,
            change_retention=HOUR,
            interval_seconds=1,
        )
        return worker.sweep()

    def age(self, sha256: str) -> None:
        os.utime(next(self.folder.glob(f"packages/??/??/{sha256}")), (0, 0))


@pytest.fixture
def dock(tmp_path: Path) -> Iterator[Dock]:
    made = Dock(tmp_path)
    yield made
    made.database.close()


def test_a_healthy_catalogue_has_no_fault(dock: Dock) -> None:
    dock.verify(dock.finish(dock.upload(package("1"))))
    dock.finish(dock.upload(package("2")))
    assert dock.faults(grace=timedelta(0)) == []
    assert dock.sweep(orphans=timedelta(0)) == {"uploads": 0, "learnwares": 0, "packages": 0, "changes": 0}


def finish_and_die(dock: Dock, submission: Submission, step: str) -> None:
    with dock.desk.examined(ANN, submission) as inspection:
        if step == "before the entry":
            raise Killed
        with dock.feed.transaction() as session:
            dock.desk.enter(session, ANN, submission, inspection)
            raise Killed


@pytest.mark.parametrize("step", ["before the entry", "before the commit"])
def test_a_submission_that_was_killed_can_be_finished(dock: Dock, step: str) -> None:
    submission = dock.upload(package())
    with pytest.raises(Killed):
        finish_and_die(dock, submission, step)
    assert dock.faults(grace=timedelta(0)) == [("I2", submission.sha256)]
    again = dock.submission(submission.upload.upload_id, package())
    assert dock.finish(again) == "00000001"
    assert dock.faults(grace=timedelta(0)) == []


def test_bytes_that_a_killed_submission_left_are_removed_after_a_while(dock: Dock) -> None:
    submission = dock.upload(package())
    with pytest.raises(Killed):
        finish_and_die(dock, submission, "before the entry")
    assert dock.faults() == []
    assert dock.sweep()["packages"] == 0
    dock.age(submission.sha256)
    assert dock.faults() == [("I2", submission.sha256)]
    assert dock.sweep()["packages"] == 1
    assert dock.faults() == []


def test_what_was_deleted_long_ago_goes_for_ever_and_its_id_with_it(dock: Dock) -> None:
    submission = dock.upload(package())
    learnware_id = dock.finish(submission)
    with dock.database.write() as session:
        catalogue.delete_learnware(session, ANN, learnware_id)
    assert dock.sweep()["learnwares"] == 0
    dock.age(submission.sha256)
    assert dock.sweep(undelete=timedelta(0)) == {"uploads": 0, "learnwares": 1, "packages": 1, "changes": 0}
    with pytest.raises(NotFound), dock.database.read() as session:
        catalogue.get_learnware(session, ANN, learnware_id)
    assert dock.finish(dock.upload(package())) == "00000002"
    assert dock.faults() == []


def test_a_version_to_serve_that_is_not_the_right_one(dock: Dock) -> None:
    learnware_id = dock.finish(dock.upload(package()))
    with dock.database.write() as session:
        session.execute(update(LearnwareRow).values(current_version=7))
    assert dock.faults() == [("I4", learnware_id)]


@pytest.mark.parametrize("stored", [None, b"\xff\xff", b""])
def test_a_specification_that_cannot_be_read(dock: Dock, stored: bytes | None) -> None:
    learnware_id = dock.finish(dock.upload(package()))
    with dock.database.write() as session:
        session.execute(update(ContentRow).values(specification=stored))
    assert dock.faults() == []  # nobody relies on it yet
    with dock.database.write() as session:
        session.execute(update(VersionRow).values(state="VERIFIED"))
    assert dock.faults() == [("I1", learnware_id)]


def test_a_gap_in_the_change_log(dock: Dock) -> None:
    for note in ("1", "2", "3"):
        dock.finish(dock.upload(package(note)))
    with dock.database.write() as session:
        session.execute(delete(ChangeRow).where(ChangeRow.sequence == 2))
    assert dock.faults() == [("I5", "change log")]


def test_an_upload_with_two_effects(dock: Dock) -> None:
    submission = dock.upload(package())
    learnware_id = dock.finish(submission)
    with dock.database.write() as session:
        version = catalogue.new_package(learnware_id, submission.sha256, len(package()), None)
        catalogue.enter_version(session, ANN, version, None)
    assert dock.faults() == [("I7", learnware_id)]


def test_bytes_that_the_disk_changed_are_not_entered(dock: Dock) -> None:
    submission = dock.upload(package())
    path = dock.folder / "uploads" / submission.upload.upload_id
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataLoss):
        dock.finish(submission)
    assert not path.exists()
    assert list(dock.blobs.list_all()) == []
