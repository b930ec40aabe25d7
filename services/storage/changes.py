"""The change log: every change in the transaction that makes it, and followers that hear of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
import threading
import time

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from learndock.errors import OutOfRange, Reason
from learndock.learnware import Learnware, LearnwareVersion
from learndock.serving import caller, faults
from learndock.serving.sql import Database, now
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import learnware_to_message, version_to_message
from services.storage import store
from services.storage.models import ChangeRow

HEARTBEAT_SECONDS = 5.0
_BATCH = 100
_CHANGE_NUMBERS = "change"
COMPACTED = "compacted"


def append(
    session: Session, kind: pb.ChangeKind.ValueType, learnware: Learnware, version: LearnwareVersion | None = None
) -> None:
    """Log a change; its sequence number follows the last one without a gap."""
    session.add(
        ChangeRow(
            sequence=store.next_number(session, _CHANGE_NUMBERS),
            kind=kind,
            learnware_id=learnware.learnware_id,
            learnware=learnware_to_message(learnware).SerializeToString(),
            version=version_to_message(version).SerializeToString() if version else None,
            create_time=now(),
        )
    )
    session.flush()


def log_version(session: Session, version: LearnwareVersion, kind: pb.ChangeKind.ValueType) -> Learnware:
    """Log that a version changed; its learnware as it is now."""
    learnware = store.touch(session, version.learnware_id)
    append(session, kind, learnware, version)
    return learnware


def log_learnware(session: Session, learnware_id: str, kind: pb.ChangeKind.ValueType) -> Learnware:
    """Log that a learnware changed; the learnware as it is now."""
    learnware = store.touch(session, learnware_id)
    append(session, kind, learnware)
    return learnware


def compact(session: Session, before: datetime) -> int:
    """Drop changes made before a time that a later one of the same learnware has overtaken; how many those were.

    What stays is the newest change of every learnware, as a snapshot within the log: who follows from anywhere before
    hears the last state of everything, and then every change without a gap. The writers must be held.
    """
    newest = select(func.max(ChangeRow.sequence)).group_by(ChangeRow.learnware_id)
    horizon = session.scalar(select(func.max(ChangeRow.sequence)).where(ChangeRow.create_time < before)) or 0
    overtaken = delete(ChangeRow).where(ChangeRow.sequence <= horizon, ChangeRow.sequence.not_in(newest))
    dropped = session.execute(overtaken).rowcount  # type: ignore[attr-defined]  # a DELETE tells
    if dropped:
        store.set_number(session, COMPACTED, horizon)
    return int(dropped)


def latest_sequence(session: Session) -> int:
    """Sequence number of the newest change; 0 before the first."""
    return session.scalar(select(func.max(ChangeRow.sequence))) or 0


class ChangeFeed:
    """Lets followers wait for changes.

    Changes of this process are heard of at once; those of other processes on the same database are seen by looking
    again every `poll_seconds`.
    """

    def __init__(self, database: Database, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._changed = threading.Condition()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Session for one transaction that changes the catalogue: one at a time, and heard of once committed."""
        with self._database.write() as session:
            store.hold_writers(session)
            yield session
            faults.reach("transaction.ready")
        faults.reach("transaction.committed")
        with self._changed:
            self._changed.notify_all()

    def follow(self, after: int) -> Iterator[pb.WatchChangesResponse]:
        """Changes after a sequence number in order, then those to come, and heartbeats in between; never ends.

        Raises
        ------
        OutOfRange
            CHANGES_EXPIRED: the log knows no such number; the follower belongs to another catalogue.
        """
        with self._database.read() as session:
            _check_known(session, after)
        heartbeat_at = 0.0  # one comes as soon as the follower has caught up
        while True:
            caller.check_active()
            batch, latest = self._read(after)
            for change in batch:
                yield change
                after = change.sequence
            if batch:
                continue
            if time.monotonic() >= heartbeat_at:
                yield pb.WatchChangesResponse(latest_sequence=latest)
                heartbeat_at = time.monotonic() + HEARTBEAT_SECONDS
            with self._changed:
                self._changed.wait(self._poll_seconds)

    def _read(self, after: int) -> tuple[list[pb.WatchChangesResponse], int]:
        query = select(ChangeRow).where(ChangeRow.sequence > after).order_by(ChangeRow.sequence).limit(_BATCH)
        with self._database.read() as session:
            rows = session.scalars(query).all()
            latest = latest_sequence(session)
        return [_message(row, latest) for row in rows], latest


def _check_known(session: Session, after: int) -> None:
    if after > latest_sequence(session):
        raise OutOfRange(
            Reason.CHANGES_EXPIRED,
            f"The change log does not know what came after {after}; read the catalogue anew and follow from 0.",
        )


def _message(row: ChangeRow, latest: int) -> pb.WatchChangesResponse:
    return pb.WatchChangesResponse(
        sequence=row.sequence,
        kind=row.kind,  # type: ignore[arg-type]  # an int, as enums are on the wire
        learnware=types_pb2.Learnware.FromString(row.learnware),
        version=types_pb2.LearnwareVersion.FromString(row.version) if row.version else None,
        latest_sequence=latest,
    )
