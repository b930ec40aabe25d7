"""Messages to the client's values, and the client's words to message enums."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import numpy as np

from learndock.client.across import AcrossSingle
from learndock.client.result import SearchResult
from learndock.client.values import (
    Certificate,
    Finding,
    Member,
    Mixture,
    MixtureMember,
    PackageCheck,
    Reuser,
    ReuserState,
    SearchAdvice,
    SearchMode,
    Single,
    Strategy,
    Summary,
    Validation,
)
from learndock.errors import Internal, Reason
from learndock.examination.report import CheckResult, CheckVerdict, ValidationReport, ValidationState
from learndock.learnware import FeatureSpace
from learndock.quota import Allowance, Quota
from learndock.reuse.labels import Labelled
from learndock.reuse.prediction import Fault
from learndock.v1 import (
    identity_service_pb2,
    reuse_service_pb2,
    search_service_pb2,
    storage_service_pb2,
    types_pb2,
    validator_service_pb2,
)
from learndock.wire import (
    enum_from_message,
    enum_to_message,
    format_class_from_message,
    match_from_message,
    match_to_message,
    semantic_from_message,
    tensor_to_message,
    time_from_message,
)

_Word = TypeVar("_Word", bound=StrEnum)


def search_mode_to_message(mode: SearchMode) -> search_service_pb2.SearchMode.ValueType:
    """Message enum of a search mode."""
    return enum_to_message(mode, search_service_pb2.SearchMode, "SEARCH_MODE")


def strategy_to_message(strategy: Strategy | None) -> reuse_service_pb2.Strategy.ValueType:
    """Message enum of a strategy; None lets the dock choose."""
    return enum_to_message(strategy, reuse_service_pb2.Strategy, "STRATEGY")


def labelled_to_message(labelled: Labelled | None) -> reuse_service_pb2.LabelledRows | None:
    """Message of labelled rows."""
    if labelled is None:
        return None
    labels = tensor_to_message(labelled.truth)
    if isinstance(labelled.inputs, np.ndarray):
        return reuse_service_pb2.LabelledRows(rows=tensor_to_message(labelled.inputs), labels=labels)
    return reuse_service_pb2.LabelledRows(texts=types_pb2.TextBatch(values=labelled.inputs), labels=labels)


def member_to_message(member: Member) -> reuse_service_pb2.ReuserMember:
    """Message of a reuser's member."""
    return reuse_service_pb2.ReuserMember(
        learnware_id=member.learnware_id,
        version=member.version,
        weight=member.weight,
        columns=[match_to_message(match) for match in member.columns],
    )


def validation_from_message(message: validator_service_pb2.Validation) -> Validation:
    """Validation of a message."""
    return Validation(
        validation_id=message.validation_id,
        learnware_id=message.learnware_id,
        version=message.version,
        state=_validation_state(message.state),
        report=_report_from_message(message.report),
        create_time=time_from_message(message.create_time),
        end_time=time_from_message(message.end_time) if message.HasField("end_time") else None,
        phase=message.phase,
        percent=message.percent,
        reason=message.reason,
        attempts=message.attempts,
    )


def package_check_from_message(message: validator_service_pb2.CheckPackageResponse) -> PackageCheck:
    """Outcome of a dry run."""
    return PackageCheck(_validation_state(message.state), _report_from_message(message.report), message.reason)


def _validation_state(number: validator_service_pb2.ValidationState.ValueType) -> ValidationState:
    word = enum_from_message(number, validator_service_pb2.ValidationState, "VALIDATION_STATE", ValidationState)
    return _known(word, "validation state")


def _report_from_message(message: validator_service_pb2.ValidationReport) -> ValidationReport:
    return ValidationReport(
        checks=tuple(_check_from_message(check) for check in message.checks),
        format_class=format_class_from_message(message.format_class),
        latency_p50_seconds=message.latency_p50_seconds,
        latency_p99_seconds=message.latency_p99_seconds,
        peak_memory_bytes=message.peak_memory_bytes,
        executor=message.executor,
        log_tail=message.log_tail,
    )


def _check_from_message(message: validator_service_pb2.CheckResult) -> CheckResult:
    verdict = enum_from_message(message.verdict, validator_service_pb2.CheckVerdict, "CHECK_VERDICT", CheckVerdict)
    return CheckResult(message.name, _known(verdict, "check verdict"), message.message, message.seconds)


def search_result_from_message(
    message: search_service_pb2.SearchResponse, task_input: FeatureSpace | None = None
) -> SearchResult:
    """Answer of a search for a task of these columns."""
    certificate = message.certificate
    return SearchResult(
        singles=tuple(_single_from_message(single) for single in message.singles),
        mixture=_mixture_from_message(message.mixture) if message.HasField("mixture") else None,
        certificate=Certificate(certificate.certified, certificate.scored, certificate.admitted, certificate.remark),
        advice=enum_from_message(message.advice, search_service_pb2.SearchAdvice, "SEARCH_ADVICE", SearchAdvice),
        island_id=message.island_id,
        profile=message.profile,
        as_of_sequence=message.as_of_sequence,
        across=tuple(_across_from_message(single) for single in message.across),
        task_input=task_input,
    )


def _single_from_message(message: search_service_pb2.SingleResult) -> Single:
    return Single(
        rank=message.rank,
        learnware_id=message.learnware_id,
        version=message.version,
        mmd2=message.mmd2,
        percentile=message.percentile,
        semantic_specification=semantic_from_message(message.semantic_specification),
        owner_id=message.owner_id,
        format_class=format_class_from_message(message.format_class),
        explanation=message.explanation,
    )


def _across_from_message(message: search_service_pb2.AcrossResult) -> AcrossSingle:
    return AcrossSingle(
        rank=message.rank,
        learnware_id=message.learnware_id,
        version=message.version,
        mmd2=message.mmd2,
        distance=message.distance,
        percentile=message.percentile,
        shared=message.shared,
        columns=tuple(match_from_message(match) for match in message.columns),
        semantic_specification=semantic_from_message(message.semantic_specification),
        owner_id=message.owner_id,
        format_class=format_class_from_message(message.format_class),
        explanation=message.explanation,
    )


def _mixture_from_message(message: search_service_pb2.Mixture) -> Mixture:
    return Mixture(
        members=tuple(_mixture_member_from_message(member) for member in message.members),
        mmd2=message.mmd2,
        percentile=message.percentile,
        gap=message.gap,
        improvement=message.improvement,
        explanation=message.explanation,
    )


def _mixture_member_from_message(message: search_service_pb2.MixtureMember) -> MixtureMember:
    return MixtureMember(
        learnware_id=message.learnware_id,
        version=message.version,
        weight=message.weight,
        mmd2=message.mmd2,
        semantic_specification=semantic_from_message(message.semantic_specification),
    )


def reuser_from_message(message: reuse_service_pb2.Reuser) -> Reuser:
    """State of a reuser."""
    state = enum_from_message(message.state, reuse_service_pb2.ReuserState, "REUSER_STATE", ReuserState)
    return Reuser(
        reuser_id=message.reuser_id,
        strategy=enum_from_message(message.strategy, reuse_service_pb2.Strategy, "STRATEGY", Strategy),
        members=tuple(Member(m.learnware_id, m.version, m.weight) for m in message.members),
        state=_known(state, "reuser state"),
        create_time=time_from_message(message.create_time),
        expire_time=time_from_message(message.expire_time),
        phase=message.phase,
        percent=message.percent,
        reason=message.reason,
        faults=tuple(fault_from_message(fault) for fault in message.faults),
        expected_error=message.expected_error if message.HasField("expected_error") else None,
        explanation=message.explanation,
        contributions=tuple(message.contributions),
    )


def fault_from_message(message: reuse_service_pb2.MemberFault) -> Fault:
    """A member that was left out."""
    return Fault(message.learnware_id, message.message)


def finding_from_message(message: storage_service_pb2.CheckIntegrityResponse) -> Finding:
    """A line of an integrity check."""
    return Finding(message.invariant, message.subject, message.message)


def summary_from_messages(
    catalogue: storage_service_pb2.GetCatalogueSummaryResponse,
    users: identity_service_pb2.GetUserSummaryResponse,
    index: search_service_pb2.GetIndexStatusResponse,
) -> Summary:
    """The numbers of three services as one."""
    return Summary(
        learnwares=catalogue.learnwares,
        by_state=dict(catalogue.by_state),
        by_task=dict(catalogue.by_task),
        by_data=dict(catalogue.by_data),
        by_library=dict(catalogue.by_library),
        package_bytes=catalogue.package_bytes,
        latest_sequence=catalogue.latest_sequence,
        indexed_sequence=index.applied_sequence,
        users=users.users,
        disabled_users=users.disabled,
        admins=users.admins,
        active_tokens=users.active_tokens,
    )


def quota_from_message(message: storage_service_pb2.Quota) -> Quota:
    """A user's quota."""
    return Quota(message.user_id, _allowance(message.limit), _allowance(message.used))


def _allowance(message: storage_service_pb2.Allowance) -> Allowance:
    return Allowance(message.bytes, message.learnwares, message.versions, message.uploads)


def _known(word: _Word | None, what: str) -> _Word:
    if word is None:
        raise Internal(Reason.INTERNAL, f"The dock sent an unknown {what}; update learndock.")
    return word
