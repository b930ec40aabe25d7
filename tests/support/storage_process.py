"""A storage service as a process of its own, which may be told where to die.

The processes are forked from one that has the modules already, so that one is up in a tenth of a second.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
import os
import signal
import threading

from learndock.account import Role
from learndock.calls import CallingChannel, open_channel
from learndock.serving import server
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from services.storage.config import Settings
from services.storage.wiring import build
from tests.support.serving import Bearer, RoleTokens

_READY_SECONDS = 60
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.storage_process"])


class StorageProcess:
    """A running storage service."""

    def __init__(self, settings: dict[str, object], *, point: str = "", after: int = 0) -> None:
        here, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(settings, point, after, there), daemon=True)
        self._process.start()
        if not here.poll(_READY_SECONDS):
            raise RuntimeError("the storage service did not start")
        self.address: str = here.recv()
        self._channel = open_channel(self.address)

    def stub(self, role: Role, user_id: str) -> StorageServiceStub:
        """A caller."""
        return StorageServiceStub(CallingChannel(self._channel, Bearer(f"{role.value}:{user_id}")))

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def died(self) -> bool:
        """Whether it was killed, by itself or another."""
        return self._process.exitcode == -signal.SIGKILL

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it died."""
        self._process.join(seconds)
        return self.died

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self._channel.close()
        self._process.kill()
        self._process.join()


def _serve(settings: dict[str, object], point: str, after: int, ready: Connection) -> None:
    os.environ.update(LEARNDOCK_FAULT_POINT=point, LEARNDOCK_FAULT_AFTER=str(after))
    application = build(Settings(service_token="secret", **settings))
    running = server.start([application], listen="127.0.0.1:0", authenticator=RoleTokens())
    ready.send(running.address)  # first: a worker may die where it is told to as soon as it starts
    for worker in application.workers:
        worker.start()
    threading.Event().wait()
