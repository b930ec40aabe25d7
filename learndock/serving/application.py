"""What a wired service is, before anything listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import grpc

from learndock.account import Principal
from learndock.audit import AuditEntry

DEFAULT_MESSAGE_BYTES = 4 * 2**20


class Worker(Protocol):
    """Something that runs beside the RPCs, in threads of its own."""

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self, grace: float) -> None:
        """End within about `grace` seconds, leaving everything so that a later start goes on."""


class Authenticator(Protocol):
    """Tells who holds a token."""

    def authenticate(self, token: str) -> Principal:
        """Principal of a token; raises `Unauthenticated`, or `Unavailable` when that cannot be told now."""


class AuditLog(Protocol):
    """Keeps what was done."""

    def record(self, entry: AuditEntry) -> None:
        """Take an entry; never raises, never waits for another service."""


@dataclass(frozen=True)
class Servicer:
    """The implementation of one gRPC service.

    Attributes
    ----------
    service
        Full name, such as ``learndock.v1.SearchService``.
    implementation
        The servicer.
    register
        The generated ``add_..._to_server``.
    """

    service: str
    implementation: object
    register: Callable[[Any, grpc.Server], None]


def _nothing() -> None:
    """Close nothing."""


@dataclass(frozen=True)
class Application:
    """One service, wired.

    Attributes
    ----------
    name
        Short name, such as ``search``.
    servicers
        What it serves.
    workers
        What runs beside.
    close
        Releases what the wiring opened; called last.
    max_message_bytes
        Largest request message.
    authenticator
        Who tells callers apart; None asks the identity service.
    audit
        Who keeps the audit log; None sends it to the identity service.
    places
        Most calls inside, served or waiting, of methods that take fewer than the server as a whole, by
        ``/package.Service/Method``.
    dependencies
        What it needs to be ready, by name; each raises a `LearndockError` while it does not answer.
    """

    name: str
    servicers: tuple[Servicer, ...]
    workers: tuple[Worker, ...] = ()
    close: Callable[[], None] = field(default=_nothing)
    max_message_bytes: int = DEFAULT_MESSAGE_BYTES
    authenticator: Authenticator | None = None
    audit: AuditLog | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    dependencies: Mapping[str, Callable[[], object]] = field(default_factory=dict)
