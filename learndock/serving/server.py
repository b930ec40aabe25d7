"""Listening: one gRPC server for one or several applications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from learndock.calls import TRANSPORT_BYTES
from learndock.errors import Reason, Unavailable
from learndock.serving import caller, interceptors
from learndock.serving.access import rules_of
from learndock.serving.application import Application, AuditLog, Authenticator
from learndock.serving.audit import NoAuditLog
from learndock.serving.health import Health
from learndock.serving.limits import UNLIMITED, FairPool, Rate, RateLimit

_MIN_PING_MS = 10_000
_LEAVE_SECONDS = 1.0
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
# An old connection is cut off after this long, whatever is still on it.
_STREAM_MS = 3_600_000
# What has come and is not read yet is lost when a stream breaks: of an upload less than a chunk, instead of the
# megabytes that a quick line is given otherwise.
_UNREAD_BYTES = 2**20


@dataclass(frozen=True)
class Terms:
    """How a server serves.

    Attributes
    ----------
    threads
        Calls served at a time.
    waiting
        Calls that may wait beside those.
    users, anonymous
        How often a user, and an address without a credential, may call.
    default_seconds
        Deadline of a unary call that states none.
    max_seconds
        Longest deadline of a unary call.
    connection_seconds
        Age at which a connection ends, once the calls on it have.
    credentials
        Certificates for TLS; None for none.
    """

    threads: int = 32
    waiting: int = 96
    users: Rate = UNLIMITED
    anonymous: Rate = UNLIMITED
    default_seconds: float = caller.DEFAULT_DEADLINE
    max_seconds: float = 3600.0
    connection_seconds: float = 300.0
    credentials: grpc.ServerCredentials | None = None


_PLAIN = Terms()


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
    _health: Health
    _names: Sequence[str]
    _stopping: Event

    def drain(self) -> None:
        """Tell callers who balance to go elsewhere, and give them a moment: calls that come at the stop are lost."""
        self._health.leave()
        self._stopping.wait(_LEAVE_SECONDS)

    def stop(self, grace: float) -> None:
        """Refuse new calls, end streams, let calls at work end within `grace` seconds, then cut them off."""
        self._stopping.set()
        self._health.leave()
        self._server.stop(grace).wait()

    def tell_ready(self, *, ready: bool) -> None:
        """Say by each service's health whether calls have a chance; the overall health stays as it is."""
        self._health.tell(self._names, serving=ready)

    def wait(self) -> None:
        """Block until somebody stops it."""
        self._server.wait_for_termination()


def start(
    applications: Sequence[Application],
    *,
    listen: str,
    authenticator: Authenticator,
    audit: AuditLog | None = None,
    terms: Terms = _PLAIN,
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
    own_places = {method: most for application in applications for method, most in application.places.items()}
    pool = FairPool(terms.threads, terms.threads + terms.waiting, own_places)
    server = grpc.server(
        pool,
        interceptors=[
            interceptors.LayerInterceptor(
                pool,
                [
                    interceptors.recorded,
                    interceptors.audited(audit or NoAuditLog(), rules),
                    interceptors.reported,
                    interceptors.timed(stopping, terms.default_seconds, terms.max_seconds),
                    interceptors.admitted(authenticator, rules),
                    interceptors.paced(RateLimit(terms.users, terms.anonymous)),
                    interceptors.limited(limits),
                ],
            )
        ],
        options=_options(terms.connection_seconds),
    )
    for servicer in servicers:
        servicer.register(servicer.implementation, server)
    health = Health(names)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((*names, _HEALTH, reflection.SERVICE_NAME), server)
    address = _listen(server, listen, terms.credentials)
    server.start()
    return RunningServer(address, server, health, names, stopping)


def _options(connection_seconds: float) -> list[tuple[str, int]]:
    return [
        ("grpc.max_connection_age_ms", round(connection_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", _STREAM_MS),
        ("grpc.max_receive_message_length", TRANSPORT_BYTES),
        ("grpc.max_send_message_length", TRANSPORT_BYTES),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNREAD_BYTES),
        ("grpc.http2.min_ping_interval_without_data_ms", _MIN_PING_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.so_reuseport", 0),  # a second server on the same port is a mistake, not a replica
    ]


def _listen(server: grpc.Server, listen: str, credentials: grpc.ServerCredentials | None) -> str:
    try:
        port = server.add_insecure_port(listen) if credentials is None else server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, f"Cannot listen on {listen}: is it in use? Choose another address."
        ) from error
    return f"{listen.rpartition(':')[0]}:{port}"
