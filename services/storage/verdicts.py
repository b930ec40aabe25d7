"""Verdicts of validators: which are believed, and what they change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from learndock.account import Principal
from learndock.errors import Aborted, InvalidInput, Reason
from learndock.learnware import FormatClass, LearnwareVersion, VersionState
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import specification_from_message, tensor_to_message
from services.storage import catalogue, changes, store
from services.storage.models import VersionRow

_MAX_REASON = 1000
_MAX_VALIDATION_ID = 64
_MAX_FENCE = 2**63 - 1  # what a database's integer holds
_FINAL = (VersionState.VERIFIED, VersionState.REJECTED)
_KINDS = {
    VersionState.UPLOADED: pb.CHANGE_KIND_VERSION_UPLOADED,
    VersionState.VERIFIED: pb.CHANGE_KIND_VERSION_VERIFIED,
    VersionState.REJECTED: pb.CHANGE_KIND_VERSION_REJECTED,
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """What a validation says of a version.

    Attributes
    ----------
    state
        What the version becomes.
    validation_id
        The validation that says so.
    fence
        Fencing number of its lease.
    reason
        Why, for REJECTED.
    format_class
        What the scan found, if it tells.
    atom_outputs
        The model's outputs on the atoms, for VERIFIED.
    """

    state: VersionState
    validation_id: str
    fence: int
    reason: str = ""
    format_class: FormatClass | None = None
    atom_outputs: NDArray[np.generic] | None = None


def record_verdict(
    session: Session, principal: Principal, learnware_id: str, number: int, verdict: Verdict
) -> LearnwareVersion:
    """Move a version to the state of a verdict; the same verdict again changes nothing.

    Raises
    ------
    NotFound
        There is no such version, or it was deleted.
    Aborted
        LEASE_LOST: a validation with a higher fencing number has taken over, or this one has ended.
    InvalidInput
        A field of the verdict is wrong.
    """
    current = catalogue.get_version(session, principal, learnware_id, number)
    row = store.lock_version(session, learnware_id, current.version)
    _check_lease(row, verdict)
    before = store.version_value(row)
    if verdict.state is before.state and verdict.fence == row.fence and before.validation_id == verdict.validation_id:
        return before
    _check_fields(session, before, verdict)
    row.state, row.fence, row.validation_id = verdict.state.value, verdict.fence, verdict.validation_id
    row.state_reason = _one_line(verdict.reason) if verdict.state is VersionState.REJECTED else ""
    if verdict.format_class is not None:
        row.format_class = verdict.format_class.value
    session.flush()
    _keep_outputs(session, before, verdict)
    after = store.version_value(row)
    _log(session, before, after)
    return after


def _check_lease(row: VersionRow, verdict: Verdict) -> None:
    ended = VersionState(row.state) in _FINAL and VersionState(row.state) is not verdict.state
    other = bool(row.validation_id) and row.validation_id != verdict.validation_id
    if verdict.fence < row.fence or (verdict.fence == row.fence and row.fence > 0 and (ended or other)):
        raise Aborted(
            Reason.LEASE_LOST,
            f"A validation with fencing number {row.fence} has taken over version {row.version}.",
            resource=row.learnware_id,
        )


def _check_fields(session: Session, version: LearnwareVersion, verdict: Verdict) -> None:
    if len(verdict.validation_id) > _MAX_VALIDATION_ID:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"A validation's id has at most {_MAX_VALIDATION_ID} characters.",
            field="validation_id",
        )
    if verdict.fence > _MAX_FENCE:
        raise InvalidInput(Reason.FIELD_INVALID, f"A fencing number is at most {_MAX_FENCE}.", field="fence")
    if verdict.atom_outputs is None:
        return
    stored, _ = store.contents_of(session, version.learnware_id, version.version)
    atoms = specification_from_message(types_pb2.Specification.FromString(stored)).atom_count if stored else 0
    if verdict.atom_outputs.ndim < 1 or len(verdict.atom_outputs) != atoms:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH, f"There must be one output for each of {atoms} atoms.", field="atom_outputs.shape"
        )


def _keep_outputs(session: Session, version: LearnwareVersion, verdict: Verdict) -> None:
    kept = verdict.atom_outputs if verdict.state is VersionState.VERIFIED else None
    message = tensor_to_message(kept).SerializeToString() if kept is not None else None
    store.set_atom_outputs(session, version.learnware_id, version.version, message)


def _log(session: Session, before: LearnwareVersion, after: LearnwareVersion) -> None:
    if after.state in _KINDS:
        changes.log_version(session, after, _KINDS[after.state])
    elif before.state is VersionState.VERIFIED:  # served until now: followers must hear that it is not any more
        changes.log_learnware(session, after.learnware_id, pb.CHANGE_KIND_LEARNWARE_UPDATED)
    else:
        store.touch(session, after.learnware_id)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_REASON]
