"""How a service calls another one: with whose token, for how long, and with errors made whole again."""

from __future__ import annotations

import grpc

from learndock.calls import CallingChannel, CallPolicy, open_channel
from learndock.serving import caller

DEFAULT_SECONDS = 30.0


class Peer:
    """Another service of the dock.

    Attributes
    ----------
    as_service
        Channel that carries this service's own token; a unary call gets 30 s unless it says otherwise.
    as_caller
        Channel that carries the token of the call being served and what remains of its deadline. Use it only while
        serving a call.
    """

    def __init__(self, address: str, service_token: str) -> None:
        self._channel = open_channel(address)
        self.as_service: grpc.Channel = CallingChannel(self._channel, _AsService(service_token))
        self.as_caller: grpc.Channel = CallingChannel(self._channel, _AsCaller())

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class _AsService(CallPolicy):
    def __init__(self, token: str) -> None:
        self._token = token

    def metadata(self) -> list[tuple[str, str]]:
        return _metadata(self._token)

    def timeout(self, *, unary: bool) -> float | None:
        return DEFAULT_SECONDS if unary else None


class _AsCaller(CallPolicy):
    def metadata(self) -> list[tuple[str, str]]:
        return _metadata(caller.served().token)

    def timeout(self, *, unary: bool) -> float | None:
        remaining = caller.remaining_seconds()
        if remaining == float("inf"):
            return DEFAULT_SECONDS if unary else None
        return remaining


def _metadata(token: str) -> list[tuple[str, str]]:
    request_id = caller.served().request_id
    pairs = [("authorization", f"Bearer {token}")] if token else []
    return [*pairs, ("x-request-id", request_id)] if request_id else pairs
