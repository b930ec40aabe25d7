"""TLS for callers: which authorities to trust and which certificate to show, read again as the files change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import threading
import time
from typing import Any

import grpc

_LOOK_SECONDS = 1.0
# Calls on the old connection have this long to end after the files changed.
_RETIRE_SECONDS = 300.0


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of a caller.

    Attributes
    ----------
    ca_file
        Authorities to trust; None for the usual ones.
    certificate_file, key_file
        Certificate to show, with its chain, and its key; None to show none.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Credentials of what the files hold now."""
        return grpc.ssl_channel_credentials(_read(self.ca_file), _read(self.key_file), _read(self.certificate_file))

    def stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Something that changes when a file does."""
        return tuple(map(stamp_of, (self.ca_file, self.certificate_file, self.key_file)))


def stamp_of(path: Path | None) -> tuple[int, int, int] | None:
    """Inode, time and size of a file; None for none, or while it is being replaced."""
    try:
        found = path.stat() if path is not None else None
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found is not None else None


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path is not None else None


class RenewedChannel(grpc.Channel):
    """A channel that is opened anew when its files change; calls at work stay on the old one for a while.

    Parameters
    ----------
    open_
        Opens it.
    stamp
        What it depends on.
    """

    def __init__(self, open_: Callable[[], grpc.Channel], stamp: Callable[[], object]) -> None:
        self._open = open_
        self._stamp = stamp
        self._lock = threading.Lock()
        self._opened_of = stamp()
        self._looked = time.monotonic()
        self._channel = open_()
        self._retiring: list[threading.Timer] = []

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return lambda *given, **options: self._current().unary_unary(*args, **kwargs)(*given, **options)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return lambda *given, **options: self._current().unary_stream(*args, **kwargs)(*given, **options)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return lambda *given, **options: self._current().stream_unary(*args, **kwargs)(*given, **options)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:  # type: ignore[override]
        return lambda *given, **options: self._current().stream_stream(*args, **kwargs)(*given, **options)

    def subscribe(self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool = False) -> None:  # noqa: FBT001, FBT002
        self._current().subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        self._current().unsubscribe(callback)

    def close(self) -> None:
        with self._lock:
            for timer in self._retiring:
                timer.cancel()
                timer.function()
            self._channel.close()

    def __enter__(self) -> RenewedChannel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _current(self) -> grpc.Channel:
        with self._lock:
            if time.monotonic() - self._looked >= _LOOK_SECONDS:
                self._looked = time.monotonic()
                self._renew()
            return self._channel

    def _renew(self) -> None:
        stamp = self._stamp()
        if stamp == self._opened_of:
            return
        try:
            fresh = self._open()
        except OSError:  # in the middle of being replaced; the next call looks again
            return
        retire = threading.Timer(_RETIRE_SECONDS, self._channel.close)
        retire.daemon = True
        retire.start()
        self._retiring = [timer for timer in self._retiring if timer.is_alive()] + [retire]
        self._channel, self._opened_of = fresh, stamp
