"""The audit log: kept for a stated time, told newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
import logging

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from learndock.account import Role
from learndock.audit import AuditEntry
from learndock.errors import LearndockError
from learndock.serving.sql import Database, now
from services.identity import store
from services.identity.models import AuditRow

_log = logging.getLogger("learndock.audit")


@dataclass(frozen=True)
class AuditQuery:
    """Which entries are asked for; empty fields ask for all."""

    user: str
    action: str
    resource: str
    start: datetime | None
    end: datetime | None


class AuditBook:
    """The audit log in SQL.

    Parameters
    ----------
    database
        Where it is.
    keep_days
        Older entries are forgotten when new ones come.
    """

    def __init__(self, database: Database, keep_days: int) -> None:
        self._database = database
        self._keep = timedelta(days=keep_days)

    def record(self, entry: AuditEntry) -> None:
        """Keep one entry; a database that is away costs the entry, which the log has too, not the call."""
        try:
            self.record_all([entry])
        except LearndockError:
            _log.exception("audit entry not kept", extra={"entry_id": entry.entry_id})

    def record_all(self, entries: Sequence[AuditEntry]) -> None:
        """Keep entries; one that is there already stays as it is."""
        with self._database.write() as session:
            known = set(session.scalars(select(AuditRow.entry_id).where(AuditRow.entry_id.in_(_ids(entries)))))
            fresh = {entry.entry_id: entry for entry in entries if entry.entry_id not in known}
            session.add_all(map(_row, fresh.values()))
            session.execute(delete(AuditRow).where(AuditRow.time < now() - self._keep))


def list_entries(session: Session, query: AuditQuery, *, before: int | None, size: int) -> list[tuple[int, AuditEntry]]:
    """Entries newest first, each with the number to go on from."""
    found = select(AuditRow).order_by(AuditRow.number.desc()).limit(size)
    if before is not None:
        found = found.where(AuditRow.number < before)
    if query.user:
        user = store.find_user(session, query.user)
        found = found.where(AuditRow.user_id == (user.user_id if user else query.user))
    if query.action:
        found = found.where(AuditRow.action.icontains(query.action, autoescape=True))
    if query.resource:
        found = found.where(AuditRow.resource == query.resource)
    if query.start is not None:
        found = found.where(AuditRow.time >= query.start)
    if query.end is not None:
        found = found.where(AuditRow.time < query.end)
    return [(row.number, _entry(row)) for row in session.scalars(found)]


def _ids(entries: Sequence[AuditEntry]) -> list[str]:
    return [entry.entry_id for entry in entries]


def _row(entry: AuditEntry) -> AuditRow:
    return AuditRow(
        entry_id=entry.entry_id[:32],
        time=entry.time,
        user_id=entry.user_id[:64],
        user_name=entry.user_name[:64],
        role=entry.role.value,
        action=entry.action[:128],
        resource=entry.resource[:128],
        code=entry.code[:32],
        reason=entry.reason[:64],
        request_id=entry.request_id[:64],
        peer=entry.peer[:128],
    )


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        entry_id=row.entry_id,
        time=row.time,
        user_id=row.user_id,
        user_name=row.user_name,
        role=Role(row.role),
        action=row.action,
        code=row.code,
        resource=row.resource,
        reason=row.reason,
        request_id=row.request_id,
        peer=row.peer,
    )
