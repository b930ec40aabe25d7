"""Does what the catalogue says hold? The invariants of docs/invariants.md, as far as storage can see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from learndock.errors import DataLoss, LearndockError, NotFound
from learndock.learnware import LearnwareVersion, VersionState
from learndock.package.inspection import check_fit
from learndock.serving import caller
from learndock.serving.sql import Database
from learndock.v1 import types_pb2
from learndock.v1.storage_service_pb2 import CHANGE_KIND_LEARNWARE_UPDATED
from learndock.wire import specification_from_message
from services.storage import store
from services.storage.blobs import BlobStore
from services.storage.changes import COMPACTED, ChangeFeed, log_learnware
from services.storage.collection import Collection
from services.storage.models import ChangeRow, LearnwareRow, VersionRow


@dataclass(frozen=True)
class Fault:
    """Something that is wrong.

    Attributes
    ----------
    invariant
        The broken invariant, such as `I1`.
    subject
        What it is about.
    message
        What is wrong and what to do, one line.
    repaired
        Whether it was put right.
    damaged
        Digest of the package whose bytes are damaged, if that is what is wrong.
    serves_another
        Whether a learnware serves another version than it should.
    """

    invariant: str
    subject: str
    message: str
    repaired: bool = False
    damaged: str = ""
    serves_another: bool = False


class IntegrityCheck:
    """Compares catalogue and packages."""

    def __init__(self, database: Database, feed: ChangeFeed, blobs: BlobStore, collection: Collection) -> None:
        self._database = database
        self._feed = feed
        self._blobs = blobs
        self._collection = collection

    def run(self, *, read_packages: bool, repair: bool = False) -> Iterator[Fault]:
        """Everything that is wrong; `read_packages` reads every byte, `repair` puts right what can be.

        What serves the wrong version serves the right one again, damaged packages are put aside so that they can be
        uploaded anew, and those that belong to no version are removed.
        """
        for fault in self._faults(read_packages=read_packages):
            yield replace(fault, repaired=True) if repair and self._repair(fault) else fault

    def _repair(self, fault: Fault) -> bool:
        if fault.invariant == "I2":
            return self._collection.remove(fault.subject)
        if fault.damaged:
            self._blobs.quarantine(fault.damaged)
        if fault.invariant != "I4" or not fault.serves_another:
            return False
        with self._feed.transaction() as session:
            log_learnware(session, fault.subject, CHANGE_KIND_LEARNWARE_UPDATED)
        return True

    def _faults(self, *, read_packages: bool) -> Iterator[Fault]:
        with self._database.read() as session:
            learnware_ids = list(session.scalars(select(LearnwareRow.learnware_id).order_by(LearnwareRow.learnware_id)))
            yield from _log_faults(session)
        for learnware_id in learnware_ids:
            caller.check_active()
            with self._database.read() as session:
                faults = list(_learnware_faults(session, learnware_id))
                versions = store.versions_of(session, learnware_id)
            yield from faults
            for version in versions:
                found = list(self._package_faults(version, read_packages=read_packages))
                if found and self._still_refers(version):
                    yield from found
        yield from self._orphans()

    def _still_refers(self, version: LearnwareVersion) -> bool:
        with self._database.read() as session:
            return store.find_version(session, version.learnware_id, version.version) is not None

    def _package_faults(self, version: LearnwareVersion, *, read_packages: bool) -> Iterator[Fault]:
        invariant = "I1" if version.state is VersionState.VERIFIED else "I3"
        subject = f"{version.learnware_id} version {version.version}"
        blob = self._blobs.stat(version.sha256)
        if blob is None:
            yield Fault(invariant, subject, "Its package is gone; upload it again, restore it, or delete it.")
        elif blob.size_bytes != version.size_bytes:
            yield Fault(
                invariant,
                subject,
                f"Its package has {blob.size_bytes} bytes instead of {version.size_bytes}; upload it again.",
                damaged=version.sha256,
            )
        elif read_packages and not self._is_intact(version.sha256):
            yield Fault(
                invariant, subject, "Its package does not have its SHA-256; upload it again.", damaged=version.sha256
            )

    def _is_intact(self, sha256: str) -> bool:
        try:
            for _ in self._blobs.chunks(sha256):
                caller.check_active()
        except (DataLoss, NotFound):
            return False
        return True

    def _orphans(self) -> Iterator[Fault]:
        for blob in self._collection.orphans():
            caller.check_active()
            yield Fault(
                "I2",
                blob.sha256,
                f"Its {blob.size_bytes} bytes belong to no version; the next round of tidying up removes them.",
            )


def _log_faults(session: Session) -> Iterator[Fault]:
    compacted = store.number(session, COMPACTED)  # up to here only the newest change of each learnware is kept
    query = select(func.max(ChangeRow.sequence), func.count()).where(ChangeRow.sequence > compacted)
    last, count = session.execute(query).one()
    if count and last - compacted != count:
        yield Fault("I5", "change log", "A sequence number is missing; rebuild what follows the log.")


def _learnware_faults(session: Session, learnware_id: str) -> Iterator[Fault]:
    learnware = store.find_learnware(session, learnware_id)
    if learnware is None and session.get(LearnwareRow, learnware_id) is None:
        return  # purged since its id was read
    if learnware is None:
        yield Fault("I4", learnware_id, "Its current version does not exist; restore the catalogue from a backup.")
        return
    if learnware.current_version.version != store.serving_version(session, learnware_id):
        wrong = "It serves another version than its newest VERIFIED one; update it to repair."
        yield Fault("I4", learnware_id, wrong, serves_another=True)
    if learnware.current_version.state is VersionState.VERIFIED:
        stored, _ = store.contents_of(session, learnware_id, learnware.current_version.version)
        try:
            message = types_pb2.Specification.FromString(stored) if stored else None
            check_fit(learnware.semantic_specification, specification_from_message(message) if message else None)
        except (LearndockError, DecodeError) as error:
            yield Fault("I1", learnware_id, f"Its specification cannot be used: {error}")
    yield from _doubled(session, learnware_id)


def _doubled(session: Session, learnware_id: str) -> Iterator[Fault]:
    query = (
        select(VersionRow.sha256)
        .where(VersionRow.learnware_id == learnware_id, VersionRow.state != VersionState.REJECTED.value)
        .group_by(VersionRow.sha256)
        .having(func.count() > 1)
    )
    for sha256 in session.scalars(query):
        yield Fault("I7", learnware_id, f"It holds the package {sha256} twice; one upload had two effects.")
