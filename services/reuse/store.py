"""Reusers in SQL: rows to values and back, no rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from learndock.reuse.strategy import Strategy
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import (
    feature_space_from_message,
    feature_space_to_message,
    semantic_from_message,
    semantic_to_message,
    specification_from_message,
    specification_to_message,
)
from services.reuse.columns import columns_to_message, read_assignment
from services.reuse.labelled import labelled_to_message, read_labelled
from services.reuse.models import MemberRow, ReuserRow
from services.reuse.record import Learnt, MemberRecord, ReuserRecord, ReuserState


def add(session: Session, record: ReuserRecord) -> None:
    """Insert a reuser."""
    session.add(
        ReuserRow(
            reuser_id=record.reuser_id,
            owner_id=record.owner_id,
            strategy=record.strategy.value,
            state=record.state.value,
            phase=record.phase,
            percent=record.percent,
            reason=record.reason,
            item_shape=_list(record.item_shape),
            create_time=record.create_time,
            expire_time=record.expire_time,
            labelled=labelled_to_message(record.labelled).SerializeToString() if record.labelled else b"",
            presumed=record.presumed.value if record.presumed else "",
            task_input=feature_space_to_message(record.task_input).SerializeToString() if record.task_input else b"",
            members=[_member_row(position, member) for position, member in enumerate(record.members)],
        )
    )
    session.flush()


def find(session: Session, reuser_id: str) -> ReuserRecord | None:
    """Reuser by id."""
    row = session.scalar(select(ReuserRow).where(ReuserRow.reuser_id == reuser_id))
    return _record(row) if row else None


def list_of(session: Session, owner_id: str, *, before: int | None, size: int) -> list[tuple[int, ReuserRecord]]:
    """Reusers of an owner, newest first, each with the number to go on from."""
    query = select(ReuserRow).where(ReuserRow.owner_id == owner_id).order_by(ReuserRow.number.desc()).limit(size)
    if before is not None:
        query = query.where(ReuserRow.number < before)
    return [(row.number, _record(row)) for row in session.scalars(query)]


def count_alive(session: Session, owner_id: str | None = None) -> int:
    """How many reusers hold sandboxes, or will: of one owner, or of all."""
    query = select(func.count()).select_from(ReuserRow).where(ReuserRow.state != ReuserState.FAILED.value)
    if owner_id is not None:
        query = query.where(ReuserRow.owner_id == owner_id)
    return session.scalar(query) or 0


def ids(session: Session, state: ReuserState | None = None) -> list[str]:
    """Ids of reusers, of one state or of all."""
    query = select(ReuserRow.reuser_id).order_by(ReuserRow.number)
    if state is not None:
        query = query.where(ReuserRow.state == state.value)
    return list(session.scalars(query))


def ids_in_use(session: Session, expire_after: datetime) -> list[str]:
    """Ids of reusers that are being prepared, or expire after a time."""
    in_use = or_(ReuserRow.expire_time > expire_after, ReuserRow.state == ReuserState.PREPARING.value)
    return list(session.scalars(select(ReuserRow.reuser_id).where(in_use)))


def progress(session: Session, reuser_id: str, *, phase: str, percent: int) -> None:
    """Tell how far the preparation is."""
    session.execute(update(ReuserRow).where(ReuserRow.reuser_id == reuser_id).values(phase=phase, percent=percent))


def finish(
    session: Session,
    reuser_id: str,
    state: ReuserState,
    *,
    reason: str,
    item_shape: tuple[int, ...] | None,
    faults: Mapping[int, str],
    learnt: Learnt,
) -> bool:
    """End a preparation, with the faults of members by position; False when the reuser was ended meanwhile."""
    row = session.scalar(select(ReuserRow).where(ReuserRow.reuser_id == reuser_id))
    if row is None:
        return False
    row.state, row.reason, row.item_shape = state.value, reason, _list(item_shape)
    row.phase, row.percent = "", 100
    row.explanation, row.contributions = learnt.explanation, list(learnt.contributions)
    row.expected_error = learnt.expected_error
    for member in row.members:
        member.fault = faults.get(member.position, "")
    return True


def prolong(session: Session, reuser_id: str, expire_time: datetime) -> None:
    """Move the time at which an unused reuser is forgotten."""
    session.execute(update(ReuserRow).where(ReuserRow.reuser_id == reuser_id).values(expire_time=expire_time))


def remove(session: Session, reuser_id: str) -> None:
    """Delete a reuser."""
    session.execute(delete(ReuserRow).where(ReuserRow.reuser_id == reuser_id))


def remove_expired(session: Session, now: datetime) -> None:
    """Delete the reusers whose time has come."""
    session.execute(delete(ReuserRow).where(ReuserRow.expire_time <= now))


def _record(row: ReuserRow) -> ReuserRecord:
    task_input = feature_space_from_message(types_pb2.FeatureSpace.FromString(row.task_input))
    return ReuserRecord(
        reuser_id=row.reuser_id,
        owner_id=row.owner_id,
        strategy=Strategy(row.strategy),
        members=tuple(_member(member, task_input.dimension) for member in row.members),
        state=ReuserState(row.state),
        phase=row.phase,
        percent=row.percent,
        reason=row.reason,
        item_shape=None if row.item_shape is None else tuple(row.item_shape),
        create_time=row.create_time,
        expire_time=row.expire_time,
        labelled=read_labelled(pb.LabelledRows.FromString(row.labelled)) if row.labelled else None,
        presumed=Strategy(row.presumed) if row.presumed else None,
        learnt=Learnt(row.explanation, tuple(row.contributions), row.expected_error),
        task_input=task_input if row.task_input else None,
    )


def _member(row: MemberRow, task_dimension: int) -> MemberRecord:
    specification = row.specification
    semantic = semantic_from_message(types_pb2.SemanticSpecification.FromString(row.semantic))
    columns = pb.ReuserMember.FromString(row.columns).columns
    return MemberRecord(
        learnware_id=row.learnware_id,
        version=row.version,
        sha256=row.sha256,
        weight=row.weight,
        semantic=semantic,
        specification=specification_from_message(types_pb2.Specification.FromString(specification))
        if specification
        else None,
        fault=row.fault,
        assignment=read_assignment(columns, task_dimension, semantic.input) if columns else None,
    )


def _member_row(position: int, member: MemberRecord) -> MemberRow:
    specification = member.specification
    return MemberRow(
        position=position,
        learnware_id=member.learnware_id,
        version=member.version,
        sha256=member.sha256,
        weight=member.weight,
        semantic=semantic_to_message(member.semantic).SerializeToString(),
        specification=specification_to_message(specification).SerializeToString() if specification else b"",
        fault=member.fault,
        columns=pb.ReuserMember(columns=columns_to_message(member)).SerializeToString(),
    )


def _list(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)
