"""How a service calls another one: with whose token, for how long, and with errors made whole again."""

from __future__ import annotations

from pathlib import Path

import grpc

from learndock.calls import CallingChannel, CallPolicy, open_channel
from learndock.serving import caller, tracing
from learndock.tls import TlsFiles, stamp_of

DEFAULT_SECONDS = 30.0


class Credential:
    """What a service shows to others: the secret that they share, or a web token of its own in a file.

    Parameters
    ----------
    secret
        The shared secret.
    file
        File of the web token, which is read again as it changes; None for none.
    """

    def __init__(self, secret: str, file: Path | None = None) -> None:
        self._secret = secret
        self._file = file
        self._read: tuple[object, str] = (None, "")

    def token(self) -> str:
        """The credential as it is now."""
        if self._file is None:
            return self._secret
        stamp = stamp_of(self._file)
        if stamp is not None and self._read[0] != stamp:
            self._read = (stamp, self._file.read_text().strip())
        return self._read[1]


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

    def __init__(self, address: str, service_token: str | Credential, tls: TlsFiles | None = None) -> None:
        credential = service_token if isinstance(service_token, Credential) else Credential(service_token)
        self._channel = open_channel(address, tls)
        self.as_service: grpc.Channel = CallingChannel(self._channel, _AsService(credential))
        self.as_caller: grpc.Channel = CallingChannel(self._channel, _AsCaller())

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


class _AsService(CallPolicy):
    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    def metadata(self) -> list[tuple[str, str]]:
        return _metadata(self._credential.token())

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
    served = caller.served()
    pairs = [("authorization", f"Bearer {token}")] if token else []
    if not served.request_id:
        return pairs
    return [*pairs, ("x-request-id", served.request_id), *tracing.handed_on(served.trace)]
