"""Listening: one gRPC server for one or several applications."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from learndock.errors import Reason, Unavailable
from learndock.serving import interceptors
from learndock.serving.access import rules_of
from learndock.serving.application import Application, AuditLog, Authenticator
from learndock.serving.audit import NoAuditLog

# gRPC refuses above this without telling why; below it our own layer refuses with a reason.
_TRANSPORT_BYTES = 32 * 2**20
_MIN_PING_MS = 10_000


@dataclass(frozen=True)
class RunningServer:
    """A server that listens.

    Attributes
    ----------
    address
        ``host:port`` that it listens on.
    """

    address: str
    _server: grpc.Server
    _health: health.HealthServicer
    _stopping: Event

    def stop(self, grace: float) -> None:
        """Refuse new calls, end streams, let calls at work end within `grace` seconds, then cut them off."""
        self._stopping.set()
        self._health.enter_graceful_shutdown()
        self._server.stop(grace).wait()

    def wait(self) -> None:
        """Block until somebody stops it."""
        self._server.wait_for_termination()


def start(
    applications: Sequence[Application],
    *,
    listen: str,
    authenticator: Authenticator,
    audit: AuditLog | None = None,
    max_threads: int = 32,
) -> RunningServer:
    """Serve applications at ``host:port`` (port 0: any free one), with health and reflection.

    Raises
    ------
    Unavailable
        The address is in use or cannot be listened on.
    """
    servicers = [servicer for application in applications for servicer in application.servicers]
    names = [servicer.service for servicer in servicers]
    limits = {
        servicer.service: application.max_message_bytes
        for application in applications
        for servicer in application.servicers
    }
    rules = rules_of(names)
    stopping = Event()
    server = grpc.server(
        ThreadPoolExecutor(max_threads, thread_name_prefix="rpc"),
        interceptors=[
            interceptors.LayerInterceptor(
                [
                    interceptors.recorded,
                    interceptors.audited(audit or NoAuditLog(), rules),
                    interceptors.reported,
                    interceptors.timed(stopping),
                    interceptors.admitted(authenticator, rules),
                    interceptors.limited(limits),
                ]
            )
        ],
        options=_options(),
        # Beyond the threads a few calls may wait; the rest is refused at once with RESOURCE_EXHAUSTED.
        maximum_concurrent_rpcs=4 * max_threads,
    )
    for servicer in servicers:
        servicer.register(servicer.implementation, server)
    health_servicer = _add_health(server, names)
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    address = _listen(server, listen)
    server.start()
    return RunningServer(address, server, health_servicer, stopping)


def _options() -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", _TRANSPORT_BYTES),
        ("grpc.max_send_message_length", _TRANSPORT_BYTES),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _MIN_PING_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", 0),  # a second server on the same port is a mistake, not a replica
    ]


def _add_health(server: grpc.Server, names: Sequence[str]) -> health.HealthServicer:
    servicer = health.HealthServicer()
    for name in ("", *names):
        servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    return servicer


def _listen(server: grpc.Server, listen: str) -> str:
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, f"Cannot listen on {listen}: is it in use? Choose another address."
        ) from error
    return f"{listen.rpartition(':')[0]}:{port}"
