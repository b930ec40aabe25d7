"""Learnwares and versions in SQL: rows to values and back, no rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, or_, select, true
from sqlalchemy.orm import Session

from learndock.account import Principal, Role
from learndock.learnware import (
    FormatClass,
    Learnware,
    LearnwareVersion,
    SemanticSpecification,
    VersionState,
    Visibility,
)
from learndock.serving.sql import now
from learndock.v1 import types_pb2 as pb
from learndock.wire import semantic_from_message, semantic_to_message
from services.storage.models import ContentRow, CounterRow, LearnwareRow, VersionRow

LEARNWARE_NUMBERS = "learnware"
CATALOGUE_REVISION = "revision"


def hold_writers(session: Session) -> None:
    """Let other writers wait until this transaction ends: what it reads stays true, and numbers have no gap."""
    session.execute(select(CounterRow).order_by(CounterRow.name).with_for_update())


def next_number(session: Session, name: str) -> int:
    """The next number of a counter, in a transaction that holds the writers."""
    row = session.get_one(CounterRow, name)
    row.value += 1
    session.flush()
    return row.value


def set_number(session: Session, name: str, value: int) -> None:
    """Note a number under a name, in a transaction that holds the writers."""
    session.merge(CounterRow(name=name, value=value))
    session.flush()


def number(session: Session, name: str) -> int:
    """The number noted under a name; 0 for none."""
    row = session.get(CounterRow, name)
    return row.value if row else 0


def note_change(session: Session) -> None:
    """Count a change of anything that a list may tell, in a transaction that holds the writers."""
    set_number(session, CATALOGUE_REVISION, number(session, CATALOGUE_REVISION) + 1)


def add_learnware(session: Session, learnware: Learnware) -> None:
    """Insert a learnware with its first version."""
    row = LearnwareRow(
        learnware_id=learnware.learnware_id,
        owner_id=learnware.owner_id,
        visibility=learnware.visibility.value,
        current_version=learnware.current_version.version,
        create_time=learnware.create_time,
        update_time=learnware.update_time,
        delete_time=None,
        revision=0,
    )
    _describe(row, learnware.semantic_specification)
    session.add(row)
    session.flush()
    add_version(session, learnware.current_version)


def add_version(session: Session, version: LearnwareVersion) -> None:
    """Insert a version."""
    session.add(
        VersionRow(
            learnware_id=version.learnware_id,
            version=version.version,
            state=version.state.value,
            sha256=version.sha256,
            size_bytes=version.size_bytes,
            format_class=version.format_class.value if version.format_class else None,
            create_time=version.create_time,
            validation_id=version.validation_id,
            state_reason=version.state_reason,
            fence=0,
        )
    )
    session.flush()


def find_learnware(session: Session, learnware_id: str) -> Learnware | None:
    """Learnware by id, deleted or not."""
    found = session.execute(_joined().where(LearnwareRow.learnware_id == learnware_id)).one_or_none()
    return _learnware(found) if found else None


def find_version(session: Session, learnware_id: str, version: int) -> LearnwareVersion | None:
    """Version by number."""
    row = session.get(VersionRow, (learnware_id, version))
    return version_value(row) if row else None


def versions_of(session: Session, learnware_id: str) -> list[LearnwareVersion]:
    """All versions, newest first."""
    query = select(VersionRow).where(VersionRow.learnware_id == learnware_id).order_by(VersionRow.version.desc())
    return [version_value(row) for row in session.scalars(query)]


def newest_version(session: Session, learnware_id: str) -> int:
    """Number of the newest version; 0 when there is none."""
    query = select(func.max(VersionRow.version)).where(VersionRow.learnware_id == learnware_id)
    return session.scalar(query) or 0


def serving_version(session: Session, learnware_id: str) -> int:
    """Number of the version to serve: the newest VERIFIED one, or the newest of all when none is."""
    verified = select(func.max(VersionRow.version)).where(
        VersionRow.learnware_id == learnware_id, VersionRow.state == VersionState.VERIFIED.value
    )
    return session.scalar(verified) or newest_version(session, learnware_id)


def lock_version(session: Session, learnware_id: str, version: int) -> VersionRow:
    """A version's row, held until the transaction ends."""
    return session.get_one(VersionRow, (learnware_id, version), with_for_update=True)


def save_learnware(session: Session, learnware: Learnware) -> None:
    """Store a learnware's description, visibility and deletion."""
    row = session.get_one(LearnwareRow, learnware.learnware_id)
    row.visibility = learnware.visibility.value
    row.delete_time = learnware.delete_time
    _describe(row, learnware.semantic_specification)
    session.flush()


def touch(session: Session, learnware_id: str) -> Learnware:
    """Note that something of a learnware changed; the learnware as it is now."""
    row = session.get_one(LearnwareRow, learnware_id)
    row.current_version = serving_version(session, learnware_id)
    row.update_time = now()
    row.revision += 1
    note_change(session)
    learnware = find_learnware(session, learnware_id)
    assert learnware is not None  # noqa: S101  # its row was just written
    return learnware


def find_same_package(session: Session, sha256: str, visible: ColumnElement[bool]) -> str | None:
    """Id of a visible learnware that holds the same package in a version that is not rejected."""
    query = (
        select(LearnwareRow.learnware_id)
        .join(VersionRow, VersionRow.learnware_id == LearnwareRow.learnware_id)
        .where(visible, VersionRow.sha256 == sha256, VersionRow.state != VersionState.REJECTED.value)
    )
    return session.scalar(query.order_by(LearnwareRow.learnware_id).limit(1))


def list_learnwares(
    session: Session, conditions: Sequence[ColumnElement[bool]], order: Sequence[ColumnElement[object]], size: int
) -> list[Learnware]:
    """The first learnwares in an order."""
    query = _joined().where(*conditions).order_by(*order).limit(size)
    return [_learnware(found) for found in session.execute(query)]


def count_learnwares(session: Session, conditions: Sequence[ColumnElement[bool]]) -> int:
    """How many learnwares fulfil the conditions."""
    return session.scalar(select(func.count()).select_from(_joined().where(*conditions).subquery())) or 0


def visible_to(principal: Principal, *, show_deleted: bool) -> ColumnElement[bool]:
    """What a caller may see of learnwares joined with their current version; the rule of `catalogue.may_see` in SQL."""
    alive = LearnwareRow.delete_time.is_(None)
    if principal.role.administers:
        return true() if show_deleted else alive
    own = LearnwareRow.owner_id == principal.user_id
    if principal.role is Role.SERVICE:
        return alive
    shown = and_(
        alive, LearnwareRow.visibility == Visibility.PUBLIC.value, VersionRow.state == VersionState.VERIFIED.value
    )
    return or_(own if show_deleted else and_(own, alive), shown)


def set_contents(session: Session, learnware_id: str, version: int, specification: bytes | None) -> None:
    """Keep the specification of a new version."""
    session.add(ContentRow(learnware_id=learnware_id, version=version, specification=specification, atom_outputs=None))
    session.flush()


def set_atom_outputs(session: Session, learnware_id: str, version: int, outputs: bytes | None) -> None:
    """Keep the model's outputs on the atoms."""
    session.get_one(ContentRow, (learnware_id, version)).atom_outputs = outputs
    session.flush()


def contents_of(session: Session, learnware_id: str, version: int) -> tuple[bytes | None, bytes | None]:
    """Specification and outputs on the atoms, as messages."""
    row = session.get_one(ContentRow, (learnware_id, version))
    return row.specification, row.atom_outputs


def is_referred(session: Session, sha256: str) -> bool:
    """Whether any version is made of this package."""
    return session.scalar(select(VersionRow.version).where(VersionRow.sha256 == sha256).limit(1)) is not None


def deleted_before(session: Session, time: datetime) -> list[str]:
    """Ids of learnwares that were deleted before a time."""
    return list(session.scalars(select(LearnwareRow.learnware_id).where(LearnwareRow.delete_time < time)))


def purge(session: Session, learnware_id: str) -> None:
    """Remove a learnware's rows for ever; its id is not given out again."""
    for table in (ContentRow, VersionRow, LearnwareRow):
        session.execute(delete(table).where(table.learnware_id == learnware_id))
    note_change(session)


def version_value(row: VersionRow) -> LearnwareVersion:
    """Value of a version's row."""
    return LearnwareVersion(
        learnware_id=row.learnware_id,
        version=row.version,
        state=VersionState(row.state),
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        create_time=row.create_time,
        format_class=FormatClass(row.format_class) if row.format_class else None,
        validation_id=row.validation_id,
        state_reason=row.state_reason,
    )


def _joined() -> Select[LearnwareRow, VersionRow]:
    current = and_(
        VersionRow.learnware_id == LearnwareRow.learnware_id, VersionRow.version == LearnwareRow.current_version
    )
    return select(LearnwareRow, VersionRow).join(VersionRow, current)


def _describe(row: LearnwareRow, semantic: SemanticSpecification) -> None:
    row.name, row.data, row.task = semantic.name, semantic.data, semantic.task
    row.words = f"{semantic.name}\n{semantic.description}"
    row.library, row.license = semantic.library, semantic.license
    row.semantic = semantic_to_message(semantic).SerializeToString(deterministic=True)


def _learnware(found: Row[LearnwareRow, VersionRow]) -> Learnware:
    row, version = found
    return Learnware(
        learnware_id=row.learnware_id,
        owner_id=row.owner_id,
        semantic_specification=semantic_from_message(pb.SemanticSpecification.FromString(row.semantic)),
        visibility=Visibility(row.visibility),
        current_version=version_value(version),
        create_time=row.create_time,
        update_time=row.update_time,
        delete_time=row.delete_time,
        etag=f"{row.learnware_id}-{row.revision}",
    )
