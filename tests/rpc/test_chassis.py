"""What every service does around its methods: access, deadlines, limits, errors, health, reflection."""

from __future__ import annotations

from collections.abc import Iterator
import logging
import threading
import time
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status
import pytest

from learndock import errors
from learndock.account import Role
from learndock.errors import Reason
from learndock.serving import caller
from learndock.serving.application import Application, Servicer
from learndock.status import CODES, from_rpc_error, to_status
from learndock.v1 import spec_service_pb2 as spec_pb
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.spec_service_pb2_grpc import (
    SpecificationServiceServicer,
    SpecificationServiceStub,
    add_SpecificationServiceServicer_to_server,
)
from learndock.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    StorageServiceStub,
    add_StorageServiceServicer_to_server,
)
from tests.support.serving import Served, serve


class Probe(StorageServiceServicer):
    """Answers with what the chassis tells it."""

    def GetVocabulary(
        self, request: pb.GetVocabularyRequest, context: grpc.ServicerContext
    ) -> pb.GetVocabularyResponse:
        seconds = caller.remaining_seconds()
        return pb.GetVocabularyResponse(keys={caller.current().role.value: pb.VocabularyValues(values=[str(seconds)])})

    def GetLearnware(self, request: pb.GetLearnwareRequest, context: grpc.ServicerContext) -> pb.GetLearnwareResponse:
        if request.learnware_id == "fault":
            raise RuntimeError("secret detail")
        raise errors.NotFound(Reason.RESOURCE_UNKNOWN, "There is no such learnware.", resource=request.learnware_id)

    def WatchChanges(self, request: pb.WatchChangesRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        yield pb.WatchChangesResponse(sequence=1)
        raise errors.OutOfRange(Reason.CHANGES_EXPIRED, "Too late.", retry_after=1.5)

    def ListLearnwares(
        self, request: pb.ListLearnwaresRequest, context: grpc.ServicerContext
    ) -> pb.ListLearnwaresResponse:
        while True:
            caller.check_active()
            time.sleep(0.01)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    probe = Servicer("learndock.v1.StorageService", Probe(), add_StorageServiceServicer_to_server)
    with serve(Application(name="probe", servicers=(probe,), max_message_bytes=1000)) as running:
        yield running


def test_anonymous_callers_reach_open_methods_only(served: Served) -> None:
    stub = StorageServiceStub(served.channel())
    assert "ANONYMOUS" in stub.GetVocabulary(pb.GetVocabularyRequest()).keys
    with pytest.raises(errors.Unauthenticated):
        stub.GetLearnware(pb.GetLearnwareRequest())


def test_methods_for_services_are_closed_to_people(served: Served) -> None:
    for role in (Role.USER, Role.ADMIN, Role.SUPERADMIN):
        with pytest.raises(errors.PermissionDenied):
            list(StorageServiceStub(served.channel_as(role)).WatchChanges(pb.WatchChangesRequest()))
    with pytest.raises(errors.PermissionDenied):
        StorageServiceStub(served.channel_as(Role.SERVICE)).GetCatalogueSummary(pb.GetCatalogueSummaryRequest())


def test_streams_carry_errors_with_their_details(served: Served) -> None:
    changes = StorageServiceStub(served.channel_as(Role.SERVICE)).WatchChanges(pb.WatchChangesRequest())
    assert next(changes).sequence == 1
    with pytest.raises(errors.OutOfRange) as caught:
        next(changes)
    assert caught.value.reason is Reason.CHANGES_EXPIRED
    assert caught.value.retry_after == 1.5


def test_faults_tell_nothing_of_the_inside(served: Served) -> None:
    with pytest.raises(errors.Internal) as caught:
        StorageServiceStub(served.channel_as(Role.USER)).GetLearnware(pb.GetLearnwareRequest(learnware_id="fault"))
    assert "secret detail" not in str(caught.value)


def test_messages_over_the_limit_are_refused_with_a_reason(served: Served) -> None:
    with pytest.raises(errors.ResourceExhausted) as caught:
        StorageServiceStub(served.channel_as(Role.USER)).GetLearnware(pb.GetLearnwareRequest(learnware_id="x" * 2000))
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE


def test_a_missing_deadline_is_capped(served: Served) -> None:
    stub = StorageServiceStub(served.raw)
    answer = stub.GetVocabulary(pb.GetVocabularyRequest(), metadata=[("authorization", "Bearer USER:ada")])
    assert 0 < float(answer.keys["USER"].values[0]) <= caller.DEFAULT_DEADLINE


def test_work_stops_at_the_deadline(served: Served) -> None:
    with pytest.raises(errors.DeadlineExceeded):
        StorageServiceStub(served.channel_as(Role.USER)).ListLearnwares(pb.ListLearnwaresRequest(), timeout=0.2)


@pytest.mark.parametrize("header", ["Basic dXNlcg==", "Bearer nonsense"])
def test_other_credentials_are_refused(served: Served, header: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        StorageServiceStub(served.raw).GetVocabulary(pb.GetVocabularyRequest(), metadata=[("authorization", header)])
    assert from_rpc_error(caught.value).reason is Reason.TOKEN_INVALID


def test_health_and_reflection_are_open(served: Served) -> None:
    health = health_pb2_grpc.HealthStub(served.raw)
    for name in ("", "learndock.v1.StorageService"):
        assert (
            health.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
        )
    reflection = reflection_pb2_grpc.ServerReflectionStub(served.raw)
    answer = next(reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")])))
    assert "learndock.v1.StorageService" in [s.name for s in answer.list_services_response.service]


@pytest.mark.parametrize("error_class", list(CODES))
def test_every_error_class_survives_the_wire(error_class: type[errors.LearndockError]) -> None:
    error = error_class(
        Reason.FIELD_INVALID,
        "what",
        field="a.b",
        violations=[errors.FieldViolation("c", "other")],
        resource="00000001",
        retry_after=0.25,
    )
    status = to_status(error)

    class Failed(grpc.RpcError, grpc.Call):  # type: ignore[misc]
        def code(self) -> grpc.StatusCode:
            return CODES[error_class]

        def details(self) -> str:
            return "what"

        def trailing_metadata(self) -> Any:
            return rpc_status.to_status(status).trailing_metadata

    Failed.__abstractmethods__ = frozenset()
    again = from_rpc_error(Failed())
    assert type(again) is error_class
    assert (again.reason, again.message, again.violations, again.resource, again.retry_after) == (
        error.reason,
        error.message,
        error.violations,
        error.resource,
        error.retry_after,
    )


def test_streams_end_when_the_server_stops() -> None:
    endless = Servicer("learndock.v1.StorageService", Endless(), add_StorageServiceServicer_to_server)
    with serve(Application(name="probe", servicers=(endless,))) as running:
        changes = StorageServiceStub(running.channel_as(Role.SERVICE)).WatchChanges(pb.WatchChangesRequest())
        assert next(changes).sequence == 1
    with pytest.raises((errors.Unavailable, errors.Cancelled)):
        list(changes)


class Lines(logging.Handler):
    """Event and code of what is logged of a build; tells when there is some."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, str | None]] = []
        self.some = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "method", "").endswith("/BuildSpecification"):  # others' calls may still be ending
            self.told.append((record.getMessage(), getattr(record, "code", None)))
            self.some.set()


def test_a_caller_who_gives_up_within_its_requests_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    reading, lines, given_up = Reading(), Lines(), threading.Event()

    def requests() -> Iterator[spec_pb.BuildSpecificationRequest]:
        yield spec_pb.BuildSpecificationRequest()
        assert given_up.wait(30)

    log = logging.getLogger("learndock.rpc")
    caplog.set_level(logging.INFO, log.name)
    log.addHandler(lines)
    probe = Servicer("learndock.v1.SpecificationService", reading, add_SpecificationServiceServicer_to_server)
    try:
        with serve(Application("probe", servicers=(probe,))) as running:
            call = SpecificationServiceStub(running.raw).BuildSpecification.future(
                requests(), metadata=(("authorization", "Bearer USER:someone"),)
            )
            assert reading.began.wait(30)
            call.cancel()
            given_up.set()
            assert lines.some.wait(30)
    finally:
        log.removeHandler(lines)
    # gRPC tells the end of the requests and the cancelling one after the other: the service may have answered by then.
    assert lines.told in ([("rpc", "CANCELLED")], [("rpc", "OK")])


class Reading(SpecificationServiceServicer):
    """Reads requests to their end."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def BuildSpecification(
        self, request_iterator: Iterator[spec_pb.BuildSpecificationRequest], context: grpc.ServicerContext
    ) -> spec_pb.BuildSpecificationResponse:
        for _ in request_iterator:
            self.began.set()
        return spec_pb.BuildSpecificationResponse()


class Endless(StorageServiceServicer):
    """Tells changes for ever."""

    def WatchChanges(self, request: pb.WatchChangesRequest, context: grpc.ServicerContext) -> Iterator[Any]:
        yield pb.WatchChangesResponse(sequence=1)
        while True:
            caller.check_active()
            time.sleep(0.01)
