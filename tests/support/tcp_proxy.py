"""A small TCP proxy between a service and its store, which can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
import socket
import threading

Change = Callable[[bytes], bytes]


class TcpProxy:
    """Hands bytes on both ways; what comes back may be changed, and connections refused."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.refuses: Callable[[], bool] = lambda: False
        self.change: Change = lambda data: data
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection."""
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self.refuses():
                return
            with socket.create_connection(self._target) as onward:
                self._open |= {connection, onward}
                there = threading.Thread(target=_pump, args=(connection, onward, lambda data: data), daemon=True)
                there.start()
                _pump(onward, connection, lambda data: self.change(data))
                there.join()
                self._open -= {connection, onward}


def _pump(source: socket.socket, target: socket.socket, change: Change) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            changed = change(data)
            if not changed:
                break
            target.sendall(changed)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_proxy(target: str) -> Iterator[TcpProxy]:
    """A proxy in front of an address; it ends with the block."""
    proxy = TcpProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
