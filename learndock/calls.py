"""Calling: a channel whose failed calls raise `learndock.errors`, with a token and a deadline on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json
import math
import time
from typing import Any, Protocol

import grpc

from learndock.status import from_rpc_error, is_told
from learndock.tls import RenewedChannel, TlsFiles
from learndock.v1 import (
    identity_service_pb2,
    reuse_service_pb2,
    search_service_pb2,
    spec_service_pb2,
    storage_service_pb2,
    validator_service_pb2,
)

# gRPC refuses above this without telling why; below it the service's own layer refuses with a reason.
TRANSPORT_BYTES = 32 * 2**20
_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000
# New replicas are found when a connection ends; looking again must not wait half a minute, as it does by default.
_RESOLUTION_MS = 1000

# Methods that change nothing and are quick: repeating them is safe. The rest is repeated by whoever knows how to go on.
_SAFE_PREFIXES = ("Get", "List", "Search", "Describe", "Compare", "Sample", "WhoAmI", "Authenticate")
# All tries together outlast the pause after which a lost replica is connected to again.
_RETRIES = {
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
# Pauses before a call with a `request_id` is made again: as of the methods above, but only where no service answered.
_PAUSES = (0.1, 0.3, 0.9, 1.0)
# While half of the calls fail, nothing is repeated: retries must not keep a service down.
_RETRY_BUDGET = {"maxTokens": 100, "tokenRatio": 0.1}
_SERVICES = (
    identity_service_pb2,
    reuse_service_pb2,
    search_service_pb2,
    spec_service_pb2,
    storage_service_pb2,
    validator_service_pb2,
)


def service_config() -> str:
    """Load balancing and retries of every channel, in gRPC's JSON."""
    safe = [
        {"service": service.full_name, "method": method.name}
        for module in _SERVICES
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if method.name.startswith(_SAFE_PREFIXES) and not method.client_streaming
    ]
    return json.dumps(
        {
            "loadBalancingConfig": [{"round_robin": {}}],
            "healthCheckConfig": {"serviceName": ""},  # a replica that is about to stop is left in time
            "methodConfig": [{"name": safe, "retryPolicy": _RETRIES}],
            "retryThrottling": _RETRY_BUDGET,
        }
    )


class CallPolicy(Protocol):
    """What goes with each call."""

    def metadata(self) -> list[tuple[str, str]]:
        """Metadata of the next call."""

    def timeout(self, *, unary: bool) -> float | None:
        """Seconds for the next call that states none; None for no limit."""


def channel_options() -> list[tuple[str, Any]]:
    """How every channel of ours behaves, in gRPC's words."""
    return [
        ("grpc.max_receive_message_length", TRANSPORT_BYTES),
        ("grpc.max_send_message_length", TRANSPORT_BYTES),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_TIMEOUT_MS),  # of pings that gRPC sends to measure the line
        ("grpc.dns_min_time_between_resolutions_ms", _RESOLUTION_MS),
        ("grpc.service_config", service_config()),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
    ]


def open_channel(address: str, tls: TlsFiles | None = None) -> grpc.Channel:
    """Connect lazily to ``host:port``, with keepalive, round robin over what the name stands for, and retries.

    Parameters
    ----------
    address
        ``host:port``, several of them separated by commas, or any name that gRPC resolves.
    tls
        Asks for TLS, and tells with which files; None for none.
    """
    options = channel_options()
    target = f"ipv4:{address}" if "," in address else address
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    return RenewedChannel(lambda: grpc.secure_channel(target, tls.credentials(), options=options), tls.stamp)


class CallingChannel(grpc.Channel):
    """Another channel under a `CallPolicy`; generated stubs work on it as on any channel."""

    def __init__(self, channel: grpc.Channel, policy: CallPolicy) -> None:
        self._channel = channel
        self._policy = policy

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return self._answering(self._channel.unary_unary(*args, **kwargs), unary=True)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return self._answering(self._channel.stream_unary(*args, **kwargs), unary=False)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[..., ResponseStream]:  # type: ignore[override]
        return self._streaming(self._channel.unary_stream(*args, **kwargs))

    def stream_stream(self, *args: Any, **kwargs: Any) -> Callable[..., ResponseStream]:  # type: ignore[override]
        return self._streaming(self._channel.stream_stream(*args, **kwargs))

    def _answering(self, method: Callable[..., Any], *, unary: bool) -> Callable[..., Any]:
        def call(request: Any, timeout: float | None = None) -> Any:
            seconds = self._policy.timeout(unary=unary) if timeout is None else timeout
            ends_at = math.inf if seconds is None else time.monotonic() + seconds
            # What carries a request id has one effect however often it comes; others have none.
            pauses = iter(_PAUSES if getattr(request, "request_id", "") else ())
            while True:
                try:
                    return method(request, timeout=_left(ends_at), metadata=self._policy.metadata())
                except grpc.RpcError as error:
                    pause = next(pauses, None)
                    if pause is None or not _is_lost(error) or time.monotonic() + pause >= ends_at:
                        raise from_rpc_error(error) from error
                    time.sleep(pause)

        return call

    def _streaming(self, method: Callable[..., Any]) -> Callable[..., ResponseStream]:
        def call(request: Any, timeout: float | None = None) -> ResponseStream:
            seconds = self._policy.timeout(unary=False) if timeout is None else timeout
            return ResponseStream(method(request, timeout=seconds, metadata=self._policy.metadata()))

        return call

    def subscribe(self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool = False) -> None:  # noqa: FBT001, FBT002
        self._channel.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        self._channel.unsubscribe(callback)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> CallingChannel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _left(ends_at: float) -> float | None:
    return None if ends_at == math.inf else ends_at - time.monotonic()


def _is_lost(error: grpc.RpcError) -> bool:
    """Whether nobody knows what became of a call, or nobody took it."""
    return isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.UNAVAILABLE and not is_told(error)


class ResponseStream:
    """Messages of a streaming call; can be cancelled from another thread."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error

    def cancel(self) -> None:
        """End the call; the reader sees `Cancelled`."""
        self._call.cancel()
