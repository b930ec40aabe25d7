"""The way out of an installer's closed network: an HTTP proxy in this process that leads to the package index only.

TLS goes through it untouched. It looks names up itself, so that the installer needs no name server, and a host that is
not named is refused whatever its address.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
import os
from pathlib import Path
import select
import socket
import subprocess
import threading
from types import TracebackType
from typing import Self

from learndock.sandbox.closed_network import CLOSED
from learndock.sandbox.file_fence import fenced
from learndock.sandbox.index_hosts import Host
from learndock.sandbox.outer_proxy import Request, connected

_HEAD_BYTES = 32 * 1024
_CHUNK = 256 * 1024
_AT_A_TIME = 64
_HEAD_SECONDS, _SILENT_SECONDS = 30.0, 180.0
_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NOT_REACHED = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def available() -> bool:
    """Whether the kernel gives an installer a network of its own here."""
    with IndexGate(()) as gate:
        command = fenced(["/bin/true"], read=[Path("/")], write=[], gate=gate.outside)
        subprocess.run(command, pass_fds=(gate.outside,), check=False, timeout=_HEAD_SECONDS)  # noqa: S603
    return gate.closed is True


class IndexGate:
    """Serves one installer for as long as the block lasts.

    Parameters
    ----------
    hosts
        Whom it may reach.

    Attributes
    ----------
    outside
        Descriptor for the installer to inherit; `started` closes this process's copy.
    closed
        Whether the installer is in a network of its own; None as long as it has not told.
    refused
        Hosts that it asked for in vain, as `name:port`.
    """

    def __init__(self, hosts: Collection[Host]) -> None:
        self._hosts = hosts
        self._inside, outside = socket.socketpair()
        self.outside = outside.detach()
        self.closed: bool | None = None
        self.refused: set[str] = set()
        self._listener: socket.socket | None = None
        self._pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="index-gate")
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._serve, name="index-gate", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def started(self) -> None:
        """The installer has its own copy of `outside`, or will never have one; harmless when repeated."""
        if self.outside >= 0:
            os.close(self.outside)
            self.outside = -1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.started()
        with self._lock:
            self._over = True
            for each in (self._inside, self._listener, *self._open):
                _hang_up(each)
        self._thread.join()
        self._inside.close()
        self._pool.shutdown()

    def _serve(self) -> None:
        listener = self._handed_out()
        if listener is None:
            return
        with listener:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # it was hung up
                    return
                self._pool.submit(self._answer, connection)

    def _handed_out(self) -> socket.socket | None:
        try:
            told, descriptors, _, _ = socket.recv_fds(self._inside, 16, 1)
        except OSError:
            return None
        self.closed = told == CLOSED if told else None
        if not descriptors:
            return None
        listener = socket.socket(fileno=descriptors[0])
        with self._lock:
            self._listener = listener
            if self._over:
                _hang_up(listener)
        return listener

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            self._keep(connection)
            try:
                self._relay(connection)
            finally:
                self._forget(connection)

    def _relay(self, connection: socket.socket) -> None:
        connection.settimeout(_HEAD_SECONDS)
        request = Request.parse(_head(connection))
        if request.host not in self._hosts:
            self.refused.add("{}:{}".format(*request.host))
            connection.sendall(_REFUSED)
            return
        try:
            remote = connected(request)
        except OSError:
            connection.sendall(_NOT_REACHED)
            return
        with remote:
            self._keep(remote)
            try:
                if request.is_tunnel:
                    connection.sendall(_CONNECTED)
                _both_ways(connection, remote, answers_only=not request.is_tunnel)
            finally:
                self._forget(remote)

    def _keep(self, each: socket.socket) -> None:
        with self._lock:
            if self._over:
                raise ConnectionAbortedError
            self._open.add(each)

    def _forget(self, each: socket.socket) -> None:
        with self._lock:
            self._open.discard(each)


def _hang_up(each: socket.socket | None) -> None:
    if each is not None:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _head(connection: socket.socket) -> bytes:
    """Bytes up to the empty line; nobody sends more before there is an answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(_HEAD_BYTES)
        if not piece or len(data) + len(piece) > _HEAD_BYTES:
            raise ValueError("That is no request.")
        data += piece
    return data


def _both_ways(connection: socket.socket, remote: socket.socket, *, answers_only: bool) -> None:
    """Carry bytes until one side hangs up; `answers_only`: nothing more to `remote`, which was asked one thing."""
    for each in (connection, remote):
        each.settimeout(_SILENT_SECONDS)
    sinks = {remote.fileno(): (remote, connection)}
    if not answers_only:
        sinks[connection.fileno()] = (connection, remote)
    poll = select.poll()
    for descriptor in sinks:
        poll.register(descriptor, select.POLLIN)
    while ready := poll.poll(_SILENT_SECONDS * 1000):
        for descriptor, _ in ready:
            source, sink = sinks[descriptor]
            data = source.recv(_CHUNK)
            if not data:
                return
            sink.sendall(data)
