"""Traces across services, log lines, metrics, and health that tells liveness from readiness."""

from __future__ import annotations

from collections.abc import Iterator
import logging

from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
import pytest

import learndock
from learndock.calls import open_channel
from learndock.errors import Reason, Unavailable
from learndock.serving import server
from learndock.serving.application import Application, Servicer
from learndock.serving.readiness import Readiness
from learndock.v1 import reuse_service_pb2 as reuse_pb
from learndock.v1 import search_service_pb2 as search_pb
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    StorageServiceStub,
    add_StorageServiceServicer_to_server,
)
from tests.support.every_service import EveryService, every_service
from tests.support.patience import eventually
from tests.support.serving import RoleTokens
from tests.support.storage import package

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
OWNER = ("authorization", "Bearer USER:owner")


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):  # it can be set only once in a process
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryService]:
    with every_service(tmp_path_factory.mktemp("observed")) as running:
        yield running


@pytest.fixture(scope="module")
def learnware_id(dock: EveryService) -> str:
    return dock.private_learnware(package("observed"))


def finished(spans: InMemorySpanExporter, trace_id: str, count: int) -> dict[str, ReadableSpan]:
    def found() -> list[ReadableSpan]:
        return [span for span in spans.get_finished_spans() if format(span.context.trace_id, "032x") == trace_id]

    assert eventually(lambda: len(found()) >= count)
    return {span.name.rpartition("/")[2]: span for span in found()}


def test_a_clients_trace_goes_through_every_service_that_its_call_reaches(
    dock: EveryService, spans: InMemorySpanExporter, learnware_id: str
) -> None:
    metadata = (OWNER, ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"))
    request = reuse_pb.CreateReuserRequest(members=[reuse_pb.ReuserMember(learnware_id=learnware_id)])
    ReuseServiceStub(dock.served.raw).CreateReuser(request, metadata=metadata)
    found = finished(spans, TRACE_ID, 2)
    first = found["CreateReuser"]
    assert format(first.parent.span_id, "016x") == PARENT_ID
    others = [span for name, span in found.items() if name != "CreateReuser"]
    assert others, "reuse asked storage"
    assert all(span.parent.span_id == first.context.span_id for span in others)
    assert first.attributes["rpc.service"] == "learndock.v1.ReuseService"
    assert first.attributes["rpc.grpc.status_code"] == "OK"


def test_the_client_hands_on_the_trace_of_its_program(dock: EveryService, spans: InMemorySpanExporter) -> None:
    with (
        trace.get_tracer("a program").start_as_current_span("work") as span,
        learndock.Dock(dock.served.address, "USER:owner") as connected,
    ):
        list(connected.list())
        trace_id = format(span.get_span_context().trace_id, "032x")
    assert "ListLearnwares" in finished(spans, trace_id, 2)


def test_log_lines_carry_request_and_trace_and_no_secret(dock: EveryService, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "learndock.rpc")
    metadata = (OWNER, ("x-request-id", "my-request"), ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01"))
    StorageServiceStub(dock.served.raw).ListLearnwares(pb.ListLearnwaresRequest(), metadata=metadata)

    def lines() -> list[logging.LogRecord]:
        return [record for record in caplog.records if getattr(record, "request_id", "") == "my-request"]

    assert eventually(lines)
    (line,) = lines()
    assert (line.code, line.user_id, line.trace_id) == ("OK", "owner", TRACE_ID)  # type: ignore[attr-defined]
    assert not any("USER:owner" in str(vars(record)) for record in caplog.records)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_metrics_count_calls_bytes_and_what_searches_did(dock: EveryService) -> None:
    method = {"method": "/learndock.v1.SearchService/Search"}
    names = {
        "learndock_rpc_calls_total": {**method, "code": "OK"},
        "learndock_rpc_seconds_count": method,
        "learndock_rpc_bytes_total": {**method, "direction": "out"},
        "learndock_search_scored_count": {},
        "learndock_search_admitted_count": {},
    }
    before = {name: sample(name, **labels) for name, labels in names.items()}
    request = search_pb.SearchRequest()
    request.filter.text = "columns"
    SearchServiceStub(dock.served.raw).Search(request, metadata=(OWNER,))
    assert eventually(lambda: all(sample(name, **labels) > before[name] for name, labels in names.items()))
    taken = sample("learndock_blob_bytes_total", direction="in")
    data = package("measured")
    dock.private_learnware(data)
    assert sample("learndock_blob_bytes_total", direction="in") == taken + len(data)


def test_readiness_follows_what_a_service_needs_and_liveness_does_not() -> None:
    away: set[str] = set()

    def answers() -> None:
        if away:
            raise Unavailable(Reason.SERVICE_UNAVAILABLE, "away")

    servicer = Servicer("learndock.v1.StorageService", StorageServiceServicer(), add_StorageServiceServicer_to_server)
    running = server.start(
        [Application("probe", servicers=(servicer,))], listen="127.0.0.1:0", authenticator=RoleTokens()
    )
    readiness = Readiness(running, {"database": answers})
    with open_channel(running.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)

        def state(service: str) -> int:
            return int(stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=30).status)

        serving, waiting = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        for is_away, expected in ((False, serving), (True, waiting), (False, serving)):
            away.clear()
            away.update({"x"} if is_away else set())
            readiness.look()
            assert (state(""), state("learndock.v1.StorageService")) == (serving, expected)
            assert sample("learndock_ready", dependency="database") == float(not is_away)
    running.stop(1.0)
