"""Errors to gRPC statuses and back: the one table that decides which code an error gets."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2
import grpc
from grpc_status import rpc_status

from learndock import errors
from learndock.errors import FieldViolation, LearndockError, Reason

DOMAIN = "learndock"

CODES: dict[type[LearndockError], grpc.StatusCode] = {
    errors.InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Aborted: grpc.StatusCode.ABORTED,
    errors.OutOfRange: grpc.StatusCode.OUT_OF_RANGE,
    errors.DataLoss: grpc.StatusCode.DATA_LOSS,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}

_CLASSES = {code: error_class for error_class, code in CODES.items()}

BARE_REASONS = {
    grpc.StatusCode.UNAVAILABLE: Reason.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
}
"""Reasons for statuses that gRPC itself makes, which carry no details."""

# When gRPC itself refuses a call, since more are at work than a server admits, it does not say when to come again.
_BARE_RETRY = 1.0


def to_status(error: LearndockError) -> status_pb2.Status:
    """The `google.rpc.Status` that tells `error` to a caller in any language."""
    status = status_pb2.Status(code=_number(_code_of(error)), message=error.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN))
    if error.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in error.violations:
            bad_request.field_violations.add(field=violation.field, description=violation.description)
        status.details.add().Pack(bad_request)
    if error.resource is not None:
        status.details.add().Pack(error_details_pb2.ResourceInfo(resource_name=error.resource))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def _code_of(error: LearndockError) -> grpc.StatusCode:
    return next(CODES[error_class] for error_class in type(error).__mro__ if error_class in CODES)


def from_rpc_error(rpc_error: grpc.RpcError) -> LearndockError:
    """The error that a failed call stands for; the same class and reason that the service raised."""
    if not isinstance(rpc_error, grpc.Call):
        return errors.Internal(Reason.INTERNAL, str(rpc_error))
    code = rpc_error.code()
    message = rpc_error.details() or code.name
    error_class = _CLASSES.get(code, errors.Internal)
    status = _status_of(rpc_error)
    if status is None:
        reason = _bare_reason(code, message)
        return error_class(reason, message, retry_after=_BARE_RETRY if reason is Reason.TOO_MANY_REQUESTS else None)
    return _with_details(error_class, message, status)


def is_told(rpc_error: grpc.RpcError) -> bool:
    """Whether a service told this failure, and not gRPC itself, which had none to ask or lost it."""
    return isinstance(rpc_error, grpc.Call) and _status_of(rpc_error) is not None


def _status_of(call: grpc.Call) -> status_pb2.Status | None:
    try:
        return rpc_status.from_call(call)
    except (
        ValueError
    ):  # the deadline passed while another end of the call was on its way: its details are not this one's
        return None


def _with_details(error_class: type[LearndockError], message: str, status: status_pb2.Status) -> LearndockError:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    resource = error_details_pb2.ResourceInfo()
    retry = error_details_pb2.RetryInfo()
    found = set()
    for detail in status.details:
        for known in (info, bad_request, resource, retry):
            if detail.Unpack(known):
                found.add(type(known))
    return error_class(
        _reason(info.reason),
        message,
        violations=[FieldViolation(v.field, v.description) for v in bad_request.field_violations],
        resource=resource.resource_name if error_details_pb2.ResourceInfo in found else None,
        retry_after=retry.retry_delay.ToMilliseconds() / 1000 if error_details_pb2.RetryInfo in found else None,
    )


def _bare_reason(code: grpc.StatusCode, message: str) -> Reason:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # gRPC's own two uses of it differ by their text only
        return Reason.MESSAGE_TOO_LARGE if "message larger than max" in message else Reason.TOO_MANY_REQUESTS
    return BARE_REASONS.get(code, Reason.INTERNAL)


def _reason(word: str) -> Reason:
    try:
        return Reason(word)
    except ValueError:  # a newer server may know reasons that this client does not
        return Reason.INTERNAL


def _number(code: grpc.StatusCode) -> int:
    return int(code_pb2.Code.Value(code.name))
