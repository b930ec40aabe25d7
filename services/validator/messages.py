"""The validator's values and messages, each way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from learndock.errors import InvalidInput, Reason
from learndock.examination.examination import Findings
from learndock.examination.report import ValidationReport, ValidationState
from learndock.learnware import SemanticSpecification
from learndock.v1 import validator_service_pb2 as pb
from learndock.wire import (
    enum_from_message,
    enum_to_message,
    format_class_to_message,
    semantic_from_message,
    time_to_message,
)
from services.validator.record import Validation


def state_from_message(number: pb.ValidationState.ValueType) -> ValidationState | None:
    """State of a filter; None for all."""
    return enum_from_message(number, pb.ValidationState, "VALIDATION_STATE", ValidationState)


def validation_to_message(validation: Validation) -> pb.Validation:
    """Message of a validation."""
    return pb.Validation(
        validation_id=validation.validation_id,
        learnware_id=validation.subject.learnware_id,
        version=validation.subject.version,
        state=_state_to_message(validation.state),
        phase=validation.phase,
        percent=validation.percent,
        report=report_to_message(validation.report),
        reason=validation.reason,
        attempts=validation.attempts,
        create_time=time_to_message(validation.create_time),
        end_time=time_to_message(validation.end_time),
    )


def without_log(validation: Validation) -> Validation:
    """The same without its log tail, for lists."""
    return replace(validation, report=replace(validation.report, log_tail=""))


def report_to_message(report: ValidationReport) -> pb.ValidationReport:
    """Message of a report."""
    return pb.ValidationReport(
        checks=[
            pb.CheckResult(
                name=line.name,
                verdict=enum_to_message(line.verdict, pb.CheckVerdict, "CHECK_VERDICT"),
                message=line.message,
                seconds=line.seconds,
            )
            for line in report.checks
        ],
        format_class=format_class_to_message(report.format_class),
        latency_p50_seconds=report.latency_p50_seconds,
        latency_p99_seconds=report.latency_p99_seconds,
        peak_memory_bytes=report.peak_memory_bytes,
        executor=report.executor,
        log_tail=report.log_tail,
    )


def findings_to_message(findings: Findings) -> pb.CheckPackageResponse:
    """Answer of a dry run."""
    state = ValidationState.VERIFIED if findings.is_verified else ValidationState.REJECTED
    return pb.CheckPackageResponse(
        state=_state_to_message(state), report=report_to_message(findings.report), reason=findings.report.reason
    )


def package_from_messages(
    requests: Iterator[pb.CheckPackageRequest],
) -> tuple[Iterator[bytes], SemanticSpecification | None]:
    """Pieces of a package, and the semantic specification that may come before them."""
    first = next(requests, None)
    if first is None:
        raise InvalidInput(Reason.PACKAGE_INVALID, "No package came.", field="package")
    if first.HasField("semantic_specification"):
        return _pieces(requests), semantic_from_message(first.semantic_specification)
    return _pieces(requests, first.data), None


def _pieces(requests: Iterator[pb.CheckPackageRequest], first: bytes = b"") -> Iterator[bytes]:
    yield first
    for request in requests:
        if request.HasField("semantic_specification"):
            raise InvalidInput(
                Reason.FIELD_INVALID,
                "The semantic specification may come in the first message only.",
                field="semantic_specification",
            )
        yield request.data


def _state_to_message(state: ValidationState) -> pb.ValidationState.ValueType:
    return enum_to_message(state, pb.ValidationState, "VALIDATION_STATE")
