"""The queue: who works on which validation, for how long, and how it ends. Each function runs in one transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
import time
import uuid

from sqlalchemy import ScalarSelect, func, or_, select
from sqlalchemy.orm import Session, aliased

from learndock.errors import Aborted, Reason
from learndock.examination.report import ValidationReport, ValidationState
from learndock.sandbox.owner import is_dead
from learndock.serving.sql import now
from services.validator import store
from services.validator.models import ValidationRow
from services.validator.record import Lease, Subject, Validation

_GIVING_UP = "giving_up"
_FIRST, _AGAIN = 0, 1


def enqueue(session: Session, subject: Subject, change_sequence: int | None = None) -> Validation:
    """Queue a validation. One that is under way is returned instead, and a change that came before has no effect."""
    if change_sequence is not None:
        known = store.row_of_change(session, change_sequence)
        if known is not None:
            return store.validation_of(known)
        # The change speaks of a new package, or of a new meaning of the old one.
        cancel_all(
            session, store.active_rows(session, subject.learnware_id, subject.version), "A later change took over."
        )
    under_way = store.active_rows(session, subject.learnware_id, subject.version)
    if under_way:
        return store.validation_of(under_way[0])
    judged = store.is_judged(session, subject.learnware_id, subject.version)
    return store.add(session, uuid.uuid4().hex, subject, change_sequence, priority=_AGAIN if judged else _FIRST)


def take(session: Session, holder: str, lease_seconds: float) -> Lease | None:
    """Take the next validation, or one that another worker left; None when there is no work.

    Versions that were never judged go before those that are judged again; among them the owner with the fewest under
    way, then the one who was served least recently; of one owner's, the one that waits for longest.
    """
    moment = now()
    is_ready = (ValidationRow.state == ValidationState.QUEUED.value) & (ValidationRow.available_at <= moment)
    is_left = (ValidationRow.state == ValidationState.RUNNING.value) & (ValidationRow.lease_until < moment)
    turn = (ValidationRow.priority, _under_way(moment), _last_turn(), ValidationRow.number)
    query = select(ValidationRow).where(or_(is_ready, is_left)).order_by(*turn).limit(1)
    row = session.scalar(query.with_for_update(of=ValidationRow, skip_locked=True))
    if row is None:
        return None
    if row.state == ValidationState.RUNNING.value:
        row.faults += 1  # whoever held it died of it, or of something else
    row.fence = _next_fence(session)
    row.holder = holder
    row.lease_until = moment + timedelta(seconds=lease_seconds)
    row.attempts += 1
    _change(row, ValidationState.RUNNING)
    return Lease(row.validation_id, store.subject_of(row), row.fence, row.faults)


def _under_way(moment: datetime) -> ScalarSelect[int]:
    """How many validations of a row's owner somebody works on."""
    other = aliased(ValidationRow)
    is_held = (other.state == ValidationState.RUNNING.value) & (other.lease_until >= moment)
    count = select(func.count()).where(other.owner_id == ValidationRow.owner_id, is_held)
    return count.correlate(ValidationRow).scalar_subquery()


def _last_turn() -> ScalarSelect[int]:
    """The greatest fence of a row's owner, which tells when it was served last."""
    other = aliased(ValidationRow)
    greatest = select(func.coalesce(func.max(other.fence), 0)).where(other.owner_id == ValidationRow.owner_id)
    return greatest.correlate(ValidationRow).scalar_subquery()


def waiting(session: Session) -> int:
    """How many validations wait for a worker."""
    queued = select(func.count()).select_from(ValidationRow).where(ValidationRow.state == ValidationState.QUEUED.value)
    return session.scalar(queued) or 0


def _next_fence(session: Session) -> int:
    """Greater than all before, also after the database was lost: storage remembers the last one that it saw."""
    fence = max(store.locked_counter(session, store.FENCE) + 1, time.time_ns() // 1_000_000)
    store.set_counter(session, store.FENCE, fence)
    return fence


def renew(session: Session, lease: Lease, lease_seconds: float) -> None:
    """Hold a lease for longer; Aborted (LEASE_LOST) when it is over."""
    _held(session, lease).lease_until = now() + timedelta(seconds=lease_seconds)


def note_progress(session: Session, lease: Lease, phase: str, percent: int, report: ValidationReport) -> None:
    """Tell how far it is; Aborted (LEASE_LOST) when the lease is over."""
    row = _held(session, lease)
    row.phase, row.percent = phase, percent
    store.set_report(row, report)
    row.revision += 1


def finish(session: Session, lease: Lease, state: ValidationState, report: ValidationReport, reason: str) -> None:
    """End it; Aborted (LEASE_LOST) when the lease is over."""
    row = _held(session, lease)
    store.set_report(row, report)
    _end(row, state, reason)


def note_giving_up(session: Session, lease: Lease) -> None:
    """Remember that storage is about to be told; Aborted (LEASE_LOST) when the lease is over."""
    _held(session, lease).phase = _GIVING_UP


def is_given_up(session: Session, validation_id: str) -> bool:
    """Whether a version came back from a validation that could not be done, so that another would not help now."""
    row = store.row_of(session, validation_id)
    return row is not None and (row.state == ValidationState.FAILED.value or row.phase == _GIVING_UP)


def put_back(session: Session, lease: Lease, *, seconds: float, fault: bool) -> None:
    """Let it be taken again after a while; Aborted (LEASE_LOST) when the lease is over."""
    row = _held(session, lease)
    row.faults += int(fault)
    row.available_at = now() + timedelta(seconds=seconds)
    row.lease_until = None
    _change(row, ValidationState.QUEUED)


def release_dead(session: Session) -> int:
    """Let the validations of workers that are known to be dead be taken at once; returns how many."""
    running = session.scalars(select(ValidationRow).where(ValidationRow.state == ValidationState.RUNNING.value))
    dead = [row for row in running if is_dead(row.holder)]
    for row in dead:
        row.lease_until = now() - timedelta(seconds=1)
    return len(dead)


def cancel_all(session: Session, rows: Iterable[ValidationRow], reason: str) -> None:
    """Cancel validations that have not ended; their workers notice at their next step."""
    for row in rows:
        _end(row, ValidationState.CANCELLED, reason)


def _held(session: Session, lease: Lease) -> ValidationRow:
    row = store.row_of(session, lease.validation_id)
    if row is None or row.fence != lease.fence or row.state != ValidationState.RUNNING.value:
        raise Aborted(Reason.LEASE_LOST, "The validation was cancelled or taken over.", resource=lease.validation_id)
    return row


def _change(row: ValidationRow, state: ValidationState) -> None:
    row.state, row.phase, row.percent = state.value, "", 0
    row.revision += 1


def _end(row: ValidationRow, state: ValidationState, reason: str) -> None:
    _change(row, state)
    row.percent, row.reason, row.end_time, row.lease_until = 100, reason, now(), None
