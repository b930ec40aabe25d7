"""Errors become statuses that tell the same: code, reason, fields, resource, delay."""

from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2
import grpc
import pytest

from learndock import errors
from learndock.errors import FieldViolation, InvalidInput, LearndockError, Reason, ResourceExhausted
from learndock.status import CODES, DOMAIN, from_rpc_error, to_status


def detail(error: LearndockError, kind: type[Message]) -> Message | None:
    for packed in to_status(error).details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


@pytest.mark.parametrize("error_class", CODES, ids=lambda error_class: error_class.__name__)
def test_each_class_has_its_code_and_reason(error_class: type[LearndockError]) -> None:
    error = error_class(Reason.INTERNAL, "what happened")
    status = to_status(error)
    assert code_pb2.Code.Name(status.code) == CODES[error_class].name
    assert status.message == "what happened"
    assert detail(error, error_details_pb2.ErrorInfo) == error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)


def test_a_more_special_class_has_the_code_of_its_base() -> None:
    class TooHot(errors.FailedPrecondition):
        pass

    assert to_status(TooHot(Reason.MODEL_FAILED, "it burns")).code == code_pb2.FAILED_PRECONDITION


def test_every_field_at_fault_is_named() -> None:
    error = InvalidInput(Reason.FIELD_INVALID, "no", field="a", violations=[FieldViolation("b", "neither")])
    bad = detail(error, error_details_pb2.BadRequest)
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert [(violation.field, violation.description) for violation in bad.field_violations] == [
        ("a", "no"),
        ("b", "neither"),
    ]


def test_the_delay_and_the_resource_are_told_only_where_known() -> None:
    error = ResourceExhausted(Reason.TOO_MANY_REQUESTS, "later", resource="00000001", retry_after=1.5)
    retry = detail(error, error_details_pb2.RetryInfo)
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToMilliseconds() == 1500
    assert detail(error, error_details_pb2.ResourceInfo) == error_details_pb2.ResourceInfo(resource_name="00000001")
    bare = ResourceExhausted(Reason.TOO_MANY_REQUESTS, "later")
    assert detail(bare, error_details_pb2.RetryInfo) is None
    assert detail(bare, error_details_pb2.ResourceInfo) is None


class Overtaken(grpc.RpcError, grpc.Call):
    """A call whose deadline passed while the server's own end of it was on its way."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        return "Deadline Exceeded"

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        refused = to_status(errors.Unavailable(Reason.SERVICE_UNAVAILABLE, "gone"))
        return (("grpc-status-details-bin", refused.SerializeToString()),)

    def initial_metadata(self) -> None: ...
    def is_active(self) -> bool: ...
    def time_remaining(self) -> float: ...
    def cancel(self) -> bool: ...
    def add_callback(self, callback: object) -> bool: ...


def test_a_deadline_that_overtakes_another_end_is_a_deadline() -> None:
    assert isinstance(from_rpc_error(Overtaken()), errors.DeadlineExceeded)
