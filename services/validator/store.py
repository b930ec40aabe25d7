"""Validations in SQL: rows to values and back, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from learndock.examination.report import CheckResult, CheckVerdict, ValidationReport, ValidationState
from learndock.learnware import FormatClass
from learndock.serving.sql import now
from learndock.v1 import types_pb2
from learndock.wire import semantic_from_message, semantic_to_message
from services.validator.models import CounterRow, ValidationRow
from services.validator.record import Subject, Validation

CHANGE, FENCE = "change", "fence"


def add(
    session: Session, validation_id: str, subject: Subject, change_sequence: int | None, *, priority: int
) -> Validation:
    """Insert a QUEUED validation; those of lower `priority` go first."""
    row = ValidationRow(
        validation_id=validation_id,
        change_sequence=change_sequence,
        learnware_id=subject.learnware_id,
        version=subject.version,
        owner_id=subject.owner_id,
        sha256=subject.sha256,
        semantic=semantic_to_message(subject.semantic).SerializeToString(),
        state=ValidationState.QUEUED.value,
        priority=priority,
        create_time=now(),
        available_at=now(),
    )
    session.add(row)
    session.flush()
    return validation_of(row)


def row_of(session: Session, validation_id: str) -> ValidationRow | None:
    """Row by the validation's id."""
    return session.scalar(select(ValidationRow).where(ValidationRow.validation_id == validation_id))


def row_of_change(session: Session, change_sequence: int) -> ValidationRow | None:
    """Row that a change asked for."""
    return session.scalar(select(ValidationRow).where(ValidationRow.change_sequence == change_sequence))


def newest_row(session: Session, learnware_id: str, version: int) -> ValidationRow | None:
    """Row of the last validation of a version."""
    query = select(ValidationRow).where(ValidationRow.learnware_id == learnware_id, ValidationRow.version == version)
    return session.scalar(query.order_by(ValidationRow.number.desc()).limit(1))


def is_judged(session: Session, learnware_id: str, version: int) -> bool:
    """Whether a validation of a version has come to a verdict."""
    verdicts = (ValidationState.VERIFIED.value, ValidationState.REJECTED.value)
    query = select(ValidationRow.number).where(
        ValidationRow.learnware_id == learnware_id,
        ValidationRow.version == version,
        ValidationRow.state.in_(verdicts),
    )
    return session.scalar(query.limit(1)) is not None


def active_rows(session: Session, learnware_id: str, version: int | None = None) -> list[ValidationRow]:
    """Rows of a learnware, or of one version, that have not ended."""
    active = (ValidationState.QUEUED.value, ValidationState.RUNNING.value)
    query = select(ValidationRow).where(ValidationRow.learnware_id == learnware_id, ValidationRow.state.in_(active))
    if version is not None:
        query = query.where(ValidationRow.version == version)
    return list(session.scalars(query))


def list_rows(
    session: Session,
    *,
    owner_id: str | None,
    learnware_id: str,
    state: ValidationState | None,
    before: int | None,
    size: int,
) -> list[ValidationRow]:
    """Rows from the newest to the oldest, those of one owner unless None."""
    query = select(ValidationRow).order_by(ValidationRow.number.desc()).limit(size)
    if owner_id is not None:
        query = query.where(ValidationRow.owner_id == owner_id)
    if learnware_id:
        query = query.where(ValidationRow.learnware_id == learnware_id)
    if state is not None:
        query = query.where(ValidationRow.state == state.value)
    if before is not None:
        query = query.where(ValidationRow.number < before)
    return list(session.scalars(query))


def counter(session: Session, name: str) -> int:
    """Value of a counter, 0 at first."""
    row = session.get(CounterRow, name)
    return row.value if row else 0


def locked_counter(session: Session, name: str) -> int:
    """Value of a counter that nobody else may read so until the transaction ends, 0 at first."""
    row = session.get(CounterRow, name, with_for_update=True, populate_existing=True)
    return row.value if row else 0


def set_counter(session: Session, name: str, value: int) -> None:
    """Set a counter."""
    row = session.get(CounterRow, name)
    if row is None:
        session.add(CounterRow(name=name, value=value))
    else:
        row.value = value
    session.flush()


def forget_changes(session: Session) -> None:
    """Forget which changes were taken in, so that they are taken in anew."""
    session.execute(update(ValidationRow).values(change_sequence=None))
    set_counter(session, CHANGE, 0)


def set_report(row: ValidationRow, report: ValidationReport) -> None:
    """Keep what was found so far."""
    row.log_tail = report.log_tail
    row.report = {
        "checks": [[line.name, line.verdict.value, line.message, line.seconds] for line in report.checks],
        "format_class": report.format_class.value if report.format_class else None,
        "latency": [report.latency_p50_seconds, report.latency_p99_seconds],
        "peak_memory_bytes": report.peak_memory_bytes,
        "executor": report.executor,
    }


def validation_of(row: ValidationRow) -> Validation:
    """The value of a row."""
    return Validation(
        validation_id=row.validation_id,
        subject=subject_of(row),
        state=ValidationState(row.state),
        phase=row.phase,
        percent=row.percent,
        report=_report(row.report, row.log_tail),
        reason=row.reason,
        attempts=row.attempts,
        create_time=row.create_time,
        end_time=row.end_time,
        revision=row.revision,
    )


def subject_of(row: ValidationRow) -> Subject:
    """What a row is about."""
    return Subject(
        learnware_id=row.learnware_id,
        version=row.version,
        owner_id=row.owner_id,
        sha256=row.sha256,
        semantic=semantic_from_message(types_pb2.SemanticSpecification.FromString(row.semantic)),
    )


def _report(kept: Mapping[str, Any], log_tail: str) -> ValidationReport:
    if not kept:
        return ValidationReport(log_tail=log_tail)
    lines = (
        CheckResult(name, CheckVerdict(verdict), message, seconds) for name, verdict, message, seconds in kept["checks"]
    )
    return ValidationReport(
        checks=tuple(lines),
        format_class=FormatClass(kept["format_class"]) if kept["format_class"] else None,
        latency_p50_seconds=kept["latency"][0],
        latency_p99_seconds=kept["latency"][1],
        peak_memory_bytes=kept["peak_memory_bytes"],
        executor=kept["executor"],
        log_tail=log_tail,
    )
