"""Channels to a dock: one address for all, or one per service; the caller's token and a deadline on every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
import sys

import grpc

from learndock.calls import CallingChannel, CallPolicy, open_channel
from learndock.errors import InvalidInput, Reason
from learndock.tls import TlsFiles

SERVICES = ("spec", "search", "storage", "validator", "reuse", "identity")
"""Names by which `Addresses` tells services apart."""

_SECURE_SCHEME = "grpcs://"


@dataclass(frozen=True)
class Addresses:
    """Where the services of a dock listen.

    Attributes
    ----------
    default
        Address of every service that `by_service` does not name.
    by_service
        Addresses by the names in `SERVICES`.

    Raises
    ------
    InvalidInput
        An unknown service, or no address at all.
    """

    default: str
    by_service: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.by_service) - set(SERVICES))
        if unknown:
            raise _bad_address(f"Unknown service {unknown[0]!r}; known are {', '.join(SERVICES)}.")
        if not self.default and not self.by_service:
            raise _bad_address("The address is empty; it should read like 127.0.0.1:50051.")

    @classmethod
    def parse(cls, text: str) -> Addresses:
        """Read "host:port", or "storage=host:port,search=host:port,host:port" with an address per service.

        A name that comes again adds an address: calls are spread over a service's addresses. The scheme "grpcs://"
        before the first asks for TLS.
        """
        found: dict[str, list[str]] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, address = part.rpartition("=")
            found.setdefault(name, []).append(address)
        default = ",".join(found.pop("", ()))
        return cls(default, {name: ",".join(addresses) for name, addresses in found.items()})

    def of(self, service: str) -> str:
        """Address of a service.

        Raises
        ------
        InvalidInput
            Neither an own address nor a default is known.
        """
        address = self.by_service.get(service) or self.default
        if not address:
            raise _bad_address(f"No address is known for the service {service!r}.")
        return address


class Connection:
    """Channels to the services of one dock, opened when first asked for.

    Parameters
    ----------
    addresses
        Where the services listen.
    token
        Secret of an API token; empty to call anonymously.
    timeout
        Seconds for a call that states no deadline.
    tls
        Files for TLS; authorities or a certificate ask for TLS on every address.
    """

    def __init__(self, addresses: Addresses, token: str, *, timeout: float, tls: TlsFiles) -> None:
        self._addresses = addresses
        self._policy = _AsUser(token, timeout)
        self._tls = tls
        self._channels: dict[str, grpc.Channel] = {}

    def channel(self, service: str) -> grpc.Channel:
        """Channel to a service, whose stubs raise `learndock.errors`."""
        address = self._addresses.of(service)
        if address not in self._channels:
            self._channels[address] = CallingChannel(self._open(address), self._policy)
        return self._channels[address]

    def close(self) -> None:
        """End all calls and close the channels."""
        while self._channels:
            self._channels.popitem()[1].close()

    def _open(self, address: str) -> grpc.Channel:
        target = address.removeprefix(_SECURE_SCHEME)
        secure = target != address or self._tls != TlsFiles()
        return open_channel(target, self._tls if secure else None)


class _AsUser(CallPolicy):
    def __init__(self, token: str, timeout: float) -> None:
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._timeout = timeout

    def metadata(self) -> list[tuple[str, str]]:
        return [*self._metadata, *_trace_metadata()]

    def timeout(self, *, unary: bool) -> float:
        return self._timeout


def _trace_metadata() -> list[tuple[str, str]]:
    """What makes a call part of the caller's trace, where the program that we are in keeps one."""
    if "opentelemetry.trace" not in sys.modules:
        return []
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return [(name.lower(), value) for name, value in carrier.items()]


def _bad_address(message: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field="address")
