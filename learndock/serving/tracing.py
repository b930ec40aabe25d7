"""Traces across services in the W3C format: each call is a span under the caller's, and is handed on.

Without an exporter nothing is recorded, but a caller's trace id still goes along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_OK = ("OK", "NOT_FOUND", "INVALID_ARGUMENT", "CANCELLED", "UNAUTHENTICATED", "PERMISSION_DENIED", "ALREADY_EXISTS")


def configure(service: str, endpoint: str, ratio: float) -> None:
    """Send traces of this process to a collector that speaks OTLP over HTTP; nothing for an empty endpoint.

    Parameters
    ----------
    service
        Name of the service.
    endpoint
        URL of the collector, such as ``http://collector:4318/v1/traces``.
    ratio
        Share of the traces that begin here to record, 0 to 1; those that a caller records are recorded too.
    """
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"learndock-{service}"}),
        sampler=ParentBased(TraceIdRatioBased(ratio)),
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)


class CallSpan:
    """The span of a call being served."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.context = trace.set_span_in_context(span)

    @property
    def trace_id(self) -> str:
        """Id of the trace, 32 hexadecimal digits."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def end(self, code: str) -> None:
        """Note the outcome."""
        self._span.set_attribute("rpc.grpc.status_code", code)
        if code not in _OK:
            self._span.set_status(Status(StatusCode.ERROR, code))


@contextmanager
def served(method: str, metadata: Mapping[str, str]) -> Iterator[CallSpan]:
    """Span of a call that came with some metadata."""
    service, _, name = method.removeprefix("/").rpartition("/")
    span = trace.get_tracer("learndock").start_span(
        method.removeprefix("/"),
        context=_PROPAGATOR.extract(metadata),
        kind=SpanKind.SERVER,
        attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
    )
    try:
        yield CallSpan(span)
    finally:
        span.end()


def handed_on(context: Context | None) -> list[tuple[str, str]]:
    """Metadata by which a call belongs to the trace of a context."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, context=context)
    return list(carrier.items())
