"""The rules of the catalogue: who sees and changes what, and what a change entails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.orm import Session

from learndock.account import Principal, Role
from learndock.errors import Aborted, AlreadyExists, InvalidInput, NotFound, PermissionDenied, Reason
from learndock.learnware import (
    FormatClass,
    Learnware,
    LearnwareVersion,
    SemanticSpecification,
    VersionState,
    Visibility,
)
from learndock.package.inspection import check_fit
from learndock.package.semantic import check_semantic
from learndock.serving import faults
from learndock.serving.sql import now
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import specification_from_message
from services.storage import changes, store

CHANGEABLE = ("semantic_specification", "visibility")


@dataclass(frozen=True)
class Change:
    """New values of a learnware; which of them count is told apart.

    Attributes
    ----------
    learnware_id
        The learnware.
    etag
        What the caller has seen of it; empty to change it whatever it is now.
    semantic_specification
        What it is for.
    visibility
        Who may see it.
    """

    learnware_id: str
    etag: str
    semantic_specification: SemanticSpecification
    visibility: Visibility


def may_see(principal: Principal, learnware: Learnware) -> bool:
    """Whether a caller may know of a learnware.

    The owner and admins always; services while it is not deleted; everybody else once it is public and VERIFIED.
    """
    if principal.may_change(learnware.owner_id):
        return True
    if learnware.delete_time is not None:
        return False
    if principal.role is Role.SERVICE:
        return True
    return learnware.visibility is Visibility.PUBLIC and learnware.current_version.state is VersionState.VERIFIED


def get_learnware(session: Session, principal: Principal, learnware_id: str) -> Learnware:
    """A learnware that the caller may see."""
    learnware = store.find_learnware(session, learnware_id)
    if learnware is None or not may_see(principal, learnware):
        raise _unknown(f"There is no learnware {learnware_id}.", learnware_id)
    return learnware


def own_learnware(session: Session, principal: Principal, learnware_id: str) -> Learnware:
    """A learnware that the caller may change."""
    learnware = get_learnware(session, principal, learnware_id)
    if not principal.may_change(learnware.owner_id):
        raise PermissionDenied(
            Reason.NOT_OWNER, "Only the owner or an admin may change a learnware.", resource=learnware_id
        )
    return learnware


def living_learnware(session: Session, principal: Principal, learnware_id: str) -> Learnware:
    """A learnware that the caller may change and that is not deleted."""
    learnware = own_learnware(session, principal, learnware_id)
    if learnware.delete_time is not None:
        raise _unknown(f"Learnware {learnware_id} is deleted; restore it first.", learnware_id)
    return learnware


def get_version(session: Session, principal: Principal, learnware_id: str, number: int) -> LearnwareVersion:
    """A version that the caller may see; 0 for the current one."""
    learnware = get_learnware(session, principal, learnware_id)
    version = store.find_version(session, learnware_id, number) if number else learnware.current_version
    if version is None or not _may_see_version(principal, learnware, version):
        raise _unknown(f"Learnware {learnware_id} has no version {number}.", learnware_id)
    return version


def list_versions(session: Session, principal: Principal, learnware_id: str) -> list[LearnwareVersion]:
    """The versions that the caller may see, newest first."""
    learnware = get_learnware(session, principal, learnware_id)
    versions = store.versions_of(session, learnware_id)
    return [version for version in versions if _may_see_version(principal, learnware, version)]


def get_specification(
    session: Session, principal: Principal, learnware_id: str, number: int
) -> tuple[bytes, bytes | None]:
    """Specification of a version that the caller may see, and the outputs on its atoms, as messages."""
    version = get_version(session, principal, learnware_id, number)
    specification, outputs = store.contents_of(session, learnware_id, version.version)
    if specification is None:
        raise _unknown(f"Learnware {learnware_id} has no statistical specification.", learnware_id)
    return specification, outputs


def refuse_duplicate(session: Session, principal: Principal, sha256: str) -> None:
    """Refuse a package that a learnware holds already.

    Only learnwares that the caller may see count, so that nobody learns what others keep private, and only versions
    that were not rejected, so that a package can be submitted again.
    """
    known = store.find_same_package(session, sha256, store.visible_to(principal, show_deleted=False))
    if known is not None:
        raise AlreadyExists(
            Reason.DUPLICATE_PACKAGE, f"Learnware {known} holds the same package already.", resource=known
        )


def enter_learnware(
    session: Session,
    principal: Principal,
    semantic: SemanticSpecification,
    visibility: Visibility,
    package: LearnwareVersion,
    specification: bytes | None,
) -> tuple[Learnware, LearnwareVersion]:
    """Enter a new learnware; `package` tells what is known of its first version, without an id."""
    learnware_id = f"{store.next_number(session, store.LEARNWARE_NUMBERS):08d}"
    version = replace(package, learnware_id=learnware_id, version=1)
    learnware = Learnware(
        learnware_id=learnware_id,
        owner_id=principal.user_id,
        semantic_specification=semantic,
        visibility=visibility,
        current_version=version,
        create_time=version.create_time,
        update_time=version.create_time,
    )
    store.add_learnware(session, learnware)
    store.set_contents(session, learnware_id, 1, specification)
    return changes.log_version(session, version, pb.CHANGE_KIND_VERSION_UPLOADED), version


def enter_version(
    session: Session, principal: Principal, package: LearnwareVersion, specification: bytes | None
) -> tuple[Learnware, LearnwareVersion]:
    """Enter a new version of the learnware that `package` names."""
    learnware = living_learnware(session, principal, package.learnware_id)
    version = replace(package, version=store.newest_version(session, learnware.learnware_id) + 1)
    store.add_version(session, version)
    store.set_contents(session, version.learnware_id, version.version, specification)
    return changes.log_version(session, version, pb.CHANGE_KIND_VERSION_UPLOADED), version


def update_learnware(session: Session, principal: Principal, change: Change, fields: Sequence[str]) -> Learnware:
    """Change description or visibility; what was validated under another meaning must be validated again."""
    for field in fields:
        if field not in CHANGEABLE:
            raise InvalidInput(
                Reason.FIELD_INVALID,
                f"Only {' and '.join(CHANGEABLE)} can be changed, not {field}.",
                field="update_mask",
            )
    learnware = living_learnware(session, principal, change.learnware_id)
    if change.etag and change.etag != learnware.etag:
        raise Aborted(
            Reason.ETAG_MISMATCH,
            "Somebody changed the learnware meanwhile; read it again.",
            resource=learnware.learnware_id,
        )
    updated = replace(learnware, **{field: getattr(change, field) for field in fields})
    if "semantic_specification" in fields:
        _check_meaning(session, updated)
    store.save_learnware(session, updated)
    faults.reach("update.saved")
    if _meaning(updated) != _meaning(learnware):
        _demand_validation(session, learnware.learnware_id)
    return changes.log_learnware(session, learnware.learnware_id, pb.CHANGE_KIND_LEARNWARE_UPDATED)


def delete_learnware(session: Session, principal: Principal, learnware_id: str) -> Learnware:
    """Hide a learnware."""
    learnware = living_learnware(session, principal, learnware_id)
    store.save_learnware(session, replace(learnware, delete_time=now()))
    faults.reach("delete.saved")
    return changes.log_learnware(session, learnware_id, pb.CHANGE_KIND_LEARNWARE_DELETED)


def undelete_learnware(session: Session, principal: Principal, learnware_id: str) -> Learnware:
    """Restore a learnware; one that is not deleted stays as it is."""
    learnware = own_learnware(session, principal, learnware_id)
    if learnware.delete_time is None:
        return learnware
    store.save_learnware(session, replace(learnware, delete_time=None))
    return changes.log_learnware(session, learnware_id, pb.CHANGE_KIND_LEARNWARE_RESTORED)


def purge_deleted(session: Session, window: timedelta) -> int:
    """Remove for ever what was deleted longer ago than it can be restored; how many that were."""
    ids = store.deleted_before(session, now() - window)
    for learnware_id in ids:
        store.purge(session, learnware_id)
        faults.reach("gc.purged")
    return len(ids)


def new_package(learnware_id: str, sha256: str, size_bytes: int, format_class: FormatClass | None) -> LearnwareVersion:
    """An UPLOADED version before it has a number."""
    return LearnwareVersion(
        learnware_id=learnware_id,
        version=0,
        state=VersionState.UPLOADED,
        sha256=sha256,
        size_bytes=size_bytes,
        create_time=now(),
        format_class=format_class,
    )


def _may_see_version(principal: Principal, learnware: Learnware, version: LearnwareVersion) -> bool:
    privileged = principal.may_change(learnware.owner_id) or principal.role is Role.SERVICE
    return privileged or version.state is VersionState.VERIFIED


def _unknown(message: str, resource: str) -> NotFound:
    return NotFound(Reason.RESOURCE_UNKNOWN, message, resource=resource)


def _meaning(learnware: Learnware) -> tuple[object, ...]:
    semantic = learnware.semantic_specification
    return semantic.data, semantic.task, semantic.input, semantic.output


def _check_meaning(session: Session, learnware: Learnware) -> None:
    check_semantic(learnware.semantic_specification)
    stored, _ = store.contents_of(session, learnware.learnware_id, learnware.current_version.version)
    specification = specification_from_message(types_pb2.Specification.FromString(stored)) if stored else None
    check_fit(learnware.semantic_specification, specification)


def _demand_validation(session: Session, learnware_id: str) -> None:
    for version in store.versions_of(session, learnware_id):
        if version.state in (VersionState.VERIFIED, VersionState.VALIDATING):
            row = store.lock_version(session, learnware_id, version.version)
            row.state = VersionState.UPLOADED.value
            row.fence, row.validation_id = row.fence + 1, ""  # one that is under way speaks of the former meaning
            session.flush()
            changes.log_version(session, store.version_value(row), pb.CHANGE_KIND_VERSION_UPLOADED)
