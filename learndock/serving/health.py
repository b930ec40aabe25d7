"""Health of the services of a server, asked once or watched (gRPC's health checking protocol).

grpcio-health-checking's servicer holds its lock while it sends, and takes it again when a watcher leaves. gRPC tells
of both from one thread, so a caller who leaves while another's health is sent stops the whole server for ever. Here
nothing is sent under the lock that a leaving watcher needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
import threading

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

_Send = Callable[[HealthCheckResponse], None]


class Health(HealthServicer):  # type: ignore[misc]
    """States of services by name; the empty name stands for the whole server.

    Parameters
    ----------
    names
        Services, all of which serve at first.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._states = dict.fromkeys(("", *names), HealthCheckResponse.SERVING)
        self._leaving = False
        self._watchers: set[_Watcher] = set()
        self._lock = threading.Lock()

    def Check(self, request: HealthCheckRequest, context: grpc.ServicerContext) -> HealthCheckResponse:
        """State of a service now; NOT_FOUND for an unknown one."""
        state = self._state(request.service)
        if state == HealthCheckResponse.SERVICE_UNKNOWN:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return HealthCheckResponse()
        return HealthCheckResponse(status=state)

    def Watch(self, request: HealthCheckRequest, context: grpc.ServicerContext, send_response_callback: _Send) -> None:
        """State of a service now, and whenever it changes; gRPC passes how to send, so that no thread waits."""
        watcher = _Watcher(request.service, self._state, send_response_callback)
        with self._lock:
            self._watchers.add(watcher)
        if not context.add_callback(lambda: self._forget(watcher)):
            self._forget(watcher)
        watcher.tell()

    Watch.experimental_non_blocking = True  # type: ignore[attr-defined]

    def tell(self, names: Iterable[str], *, serving: bool) -> None:
        """Change the states of some services; nothing once the server is leaving."""
        state = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        with self._lock:
            if not self._leaving:
                self._states.update(dict.fromkeys(names, state))
        self._tell_watchers()

    def leave(self) -> None:
        """Tell for good that nothing is served any more."""
        with self._lock:
            self._leaving = True
            self._states = dict.fromkeys(self._states, HealthCheckResponse.NOT_SERVING)
        self._tell_watchers()

    def _state(self, name: str) -> HealthCheckResponse.ServingStatus.ValueType:
        with self._lock:
            return self._states.get(name, HealthCheckResponse.SERVICE_UNKNOWN)

    def _tell_watchers(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for watcher in watchers:
            watcher.tell()

    def _forget(self, watcher: _Watcher) -> None:
        with self._lock:
            self._watchers.discard(watcher)


class _Watcher:
    """One caller who watches one service."""

    def __init__(
        self, name: str, state_of: Callable[[str], HealthCheckResponse.ServingStatus.ValueType], send: _Send
    ) -> None:
        self._name = name
        self._state_of = state_of
        self._send = send
        self._told: HealthCheckResponse.ServingStatus.ValueType | None = None
        self._sending = threading.Lock()

    def tell(self) -> None:
        """Send the state as it is by now, if it is not what was sent last."""
        with self._sending:
            state = self._state_of(self._name)
            if state != self._told:
                self._told = state
                self._send(HealthCheckResponse(status=state))
