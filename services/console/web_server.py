"""An ASGI application behind a socket, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
import socket
import threading

from anyio import to_thread
from starlette.types import ASGIApp
import uvicorn

from learndock.errors import Reason, Unavailable

_START_SECONDS = 30.0
_BACKLOG = 128


class WebServer:
    """Holds its address from construction on; who comes before `start` waits.

    Parameters
    ----------
    application
        What answers.
    listen
        Address, host:port; port 0 takes any free one.
    threads
        Requests worked on at a time.
    close
        Releases what the application holds; called last.

    Raises
    ------
    Unavailable
        The address is in use.
    """

    def __init__(self, application: ASGIApp, listen: str, *, threads: int, close: Callable[[], None]) -> None:
        self._socket = _bound(listen)
        self._threads = threads
        self._close = close
        config = uvicorn.Config(
            application, log_config=None, access_log=False, server_header=False, lifespan="off", log_level="warning"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        host, port = self._socket.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Answer what is at work, for `grace` seconds at most, and end."""
        self._server.config.timeout_graceful_shutdown = max(1, round(grace))
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(grace + _START_SECONDS)
        self._socket.close()
        self._close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        to_thread.current_default_thread_limiter().total_tokens = self._threads
        await self._server.serve(sockets=[self._socket])


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, int(port)))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise Unavailable(Reason.SERVICE_UNAVAILABLE, f"The console cannot listen at {listen}: {error}.") from error
    return bound
