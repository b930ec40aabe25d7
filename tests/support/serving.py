"""Services on real channels, with the real interceptors and callers of any role."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from learndock.account import Principal, Role
from learndock.calls import CallingChannel, open_channel
from learndock.errors import Reason, Unauthenticated
from learndock.serving import server
from learndock.serving.application import Application

SERVICE_TOKEN = "service-secret-of-the-tests"


class RoleTokens:
    """Takes ``ROLE:user_id`` for a token, so that a test can be anybody."""

    def authenticate(self, token: str) -> Principal:
        if token == SERVICE_TOKEN:
            return Principal("service", "service", Role.SERVICE)
        role, _, user_id = token.partition(":")
        if role not in Role.__members__:
            raise Unauthenticated(Reason.TOKEN_INVALID, "unknown")
        return Principal(user_id, user_id, Role(role))


@dataclass(frozen=True)
class Bearer:
    """Call policy that sends one token, or none."""

    token: str

    def metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.token}")] if self.token else []

    def timeout(self, *, unary: bool) -> float | None:
        return 60.0 if unary else None


@dataclass(frozen=True)
class Served:
    """A served application."""

    address: str
    _raw: grpc.Channel

    def channel(self, token: str = "") -> grpc.Channel:
        """Channel with a token; failed calls raise `learndock.errors`."""
        return CallingChannel(self._raw, Bearer(token))

    def channel_as(self, role: Role, user_id: str = "someone") -> grpc.Channel:
        """Channel of a caller with a role."""
        return self.channel(f"{role.value}:{user_id}")

    @property
    def raw(self) -> grpc.Channel:
        """Channel that raises gRPC's own errors and sends no token."""
        return self._raw


@contextmanager
def serve(*applications: Application, workers: bool = True) -> Iterator[Served]:
    """Serve applications on a free port until the block ends."""
    tells_apart = applications[0].authenticator or RoleTokens()
    audit = applications[0].audit
    running = server.start(applications, listen="127.0.0.1:0", authenticator=tells_apart, audit=audit)
    started = [worker for application in applications for worker in application.workers] if workers else []
    for worker in started:
        worker.start()
    channel = open_channel(running.address)
    try:
        yield Served(running.address, channel)
    finally:
        channel.close()
        running.stop(1.0)
        for worker in started:
            worker.stop(5.0)
        for application in applications:
            application.close()
