"""A validator as a process of its own, to be frozen, woken and killed."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
import os
import signal
import threading

from learndock.serving import server
from services.validator.config import Settings
from services.validator.wiring import build
from tests.support.serving import RoleTokens

_READY_SECONDS = 60
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.validator_process"])


class ValidatorProcess:
    """A running validator."""

    def __init__(self, settings: Settings) -> None:
        here, there = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(settings.model_dump(), there), daemon=True)
        self._process.start()
        if not here.poll(_READY_SECONDS):
            raise RuntimeError("the validator did not start")
        here.recv()

    @property
    def pid(self) -> int:
        """Id of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def freeze(self) -> None:
        """Let it do nothing any more."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on as if no time had passed."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self._process.kill()
        self._process.join()


def _serve(settings: dict[str, object], ready: Connection) -> None:
    application = build(Settings(**settings))  # type: ignore[arg-type]
    server.start([application], listen="127.0.0.1:0", authenticator=RoleTokens())
    for worker in application.workers:
        worker.start()
    ready.send(os.getpid())
    threading.Event().wait()
