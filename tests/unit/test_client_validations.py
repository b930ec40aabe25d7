"""Watching a validation, reading its report, checking a package."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import learndock
from learndock.errors import DeadlineExceeded, Internal, NotFound, Reason, Unavailable
from learndock.examination.report import CheckVerdict, ValidationState
from learndock.v1 import validator_service_pb2 as pb
from learndock.v1 import validator_service_pb2_grpc
from tests.support.bare_server import bare_server, fail, registered

RUNNING, VERIFIED = pb.VALIDATION_STATE_RUNNING, pb.VALIDATION_STATE_VERIFIED


class Validator(validator_service_pb2_grpc.ValidatorServiceServicer):
    """Tells the states that a test lists, a list for each stream."""

    def __init__(self) -> None:
        self.streams: list[list[pb.ValidationState.ValueType]] = [[RUNNING, VERIFIED]]
        self.checked = b""
        self.name = ""

    def WatchValidation(
        self, request: pb.WatchValidationRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchValidationResponse]:
        for state in self.streams.pop(0) if self.streams else [RUNNING]:
            yield pb.WatchValidationResponse(validation=validation(state, request.version))
        fail(context, Unavailable(Reason.SERVICE_UNAVAILABLE, "broken"))

    def ListValidations(
        self, request: pb.ListValidationsRequest, context: grpc.ServicerContext
    ) -> pb.ListValidationsResponse:
        if request.learnware_id != "00000001":
            return pb.ListValidationsResponse()
        if not request.page_token:
            return pb.ListValidationsResponse(validations=[validation(VERIFIED, 2)], next_page_token="more")
        return pb.ListValidationsResponse(validations=[validation(RUNNING, 1)])

    def GetValidation(
        self, request: pb.GetValidationRequest, context: grpc.ServicerContext
    ) -> pb.GetValidationResponse:
        found = validation(VERIFIED, int(request.validation_id))
        found.report.log_tail = "printed"
        return pb.GetValidationResponse(validation=found)

    def CheckPackage(
        self, request_iterator: Iterator[pb.CheckPackageRequest], context: grpc.ServicerContext
    ) -> pb.CheckPackageResponse:
        for request in request_iterator:
            self.checked += request.data
        return pb.CheckPackageResponse(state=pb.VALIDATION_STATE_REJECTED, reason="archive: no zip")


def validation(state: pb.ValidationState.ValueType, version: int) -> pb.Validation:
    check = pb.CheckResult(name="archive", verdict=pb.CHECK_VERDICT_PASSED, message="fine", seconds=0.5)
    return pb.Validation(
        validation_id=str(version),
        learnware_id="00000001",
        version=version,
        state=state,
        report=pb.ValidationReport(checks=[check]),
    )


@pytest.fixture
def validator() -> Validator:
    return Validator()


@pytest.fixture
def dock(validator: Validator, monkeypatch: pytest.MonkeyPatch) -> Iterator[learndock.Dock]:
    monkeypatch.setattr("learndock.client.validations.time.sleep", lambda _seconds: None)
    register = registered(validator_service_pb2_grpc.add_ValidatorServiceServicer_to_server, validator)
    with bare_server(register) as address, learndock.Dock(address, "x") as connected:
        yield connected


def test_a_validation_is_watched_to_its_end(dock: learndock.Dock) -> None:
    states: list[ValidationState] = []
    outcome = dock.wait_until_validated("00000001", 3, progress=lambda v: states.append(v.state))
    assert outcome.passed
    assert outcome.version == 3
    assert outcome.report.checks[0].verdict is CheckVerdict.PASSED
    assert states == [ValidationState.RUNNING, ValidationState.VERIFIED]


def test_a_broken_watch_is_taken_up_again(dock: learndock.Dock, validator: Validator) -> None:
    validator.streams = [[RUNNING], [], [RUNNING, VERIFIED]]
    assert dock.wait_until_validated("00000001").passed


def test_waiting_ends(dock: learndock.Dock, validator: Validator) -> None:
    validator.streams = []
    with pytest.raises(DeadlineExceeded, match="goes on in the dock"):
        dock.wait_until_validated("00000001", timeout=0.3)


def test_a_state_of_a_newer_dock_is_told(dock: learndock.Dock, validator: Validator) -> None:
    validator.streams = [[pb.VALIDATION_STATE_UNSPECIFIED]]
    with pytest.raises(Internal, match="update learndock"):
        dock.wait_until_validated("00000001")


def test_the_last_validation_of_a_version_comes_with_its_log(dock: learndock.Dock) -> None:
    assert dock.validation("00000001").version == 2
    assert dock.validation("00000001", 1).version == 1
    assert dock.validation("00000001", 1).report.log_tail == "printed"
    with pytest.raises(NotFound):
        dock.validation("00000001", 3)
    with pytest.raises(NotFound):
        dock.validation("00000002")


def test_a_dry_run_sends_the_package(dock: learndock.Dock, validator: Validator, tmp_path: Path) -> None:
    package = tmp_path / "package.zip"
    package.write_bytes(b"z" * 3_000_000)
    outcome = dock.check(package)
    assert not outcome.passed
    assert outcome.reason == "archive: no zip"
    assert validator.checked == package.read_bytes()
