"""Traces reach a collector: a service as a process, and an OTLP receiver on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import threading

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
import pytest

from learndock.v1 import spec_service_pb2 as pb
from learndock.v1.spec_service_pb2_grpc import SpecificationServiceStub
from tests.support.processes import ServiceProcess
from tests.support.s3 import free_ports

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An OTLP receiver over HTTP: its endpoint, and what came."""
    received: list[ExportTraceServiceRequest] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            received.append(ExportTraceServiceRequest.FromString(plain))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", received
    finally:
        server.shutdown()
        server.server_close()


def test_a_process_sends_its_spans_to_the_collector_and_the_last_ones_as_it_ends(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with collector() as (endpoint, received):
        process = ServiceProcess("spec", address, tmp_path / "log", {"TRACE_ENDPOINT": endpoint, "TRACE_RATIO": "0"})
        process.launch()
        try:
            process.wait_ready()
            with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError):
                SpecificationServiceStub(channel).DescribeSpecification(
                    pb.DescribeSpecificationRequest(),
                    metadata=(("traceparent", f"00-{TRACE_ID}-b7ad6b7169203331-01"),),
                    timeout=60,
                )
        finally:
            process.tell_to_stop()
            process.wait_stopped()
        resources = [resource for request in received for resource in request.resource_spans]
        names = {a.value.string_value for r in resources for a in r.resource.attributes if a.key == "service.name"}
        spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    assert names == {"learndock-spec"}
    assert [(span.name, span.trace_id.hex()) for span in spans] == [
        ("learndock.v1.SpecificationService/DescribeSpecification", TRACE_ID)
    ]
