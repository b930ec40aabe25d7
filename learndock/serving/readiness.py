"""Readiness: whether what a service needs answers, told to probes and balancers by gRPC's health service.

The overall health (the empty name) says that the process lives and knows nothing of others: a service is not killed
since its database is away. The health of each service by its name says whether calls have a chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import logging

from learndock.errors import LearndockError
from learndock.serving import telemetry
from learndock.serving.background import BackgroundWorker
from learndock.serving.server import RunningServer

_LOOK_SECONDS = 2.0

_log = logging.getLogger("learndock.readiness")


class Readiness(BackgroundWorker):
    """Looks at what a service needs, every two seconds.

    Parameters
    ----------
    running
        The server whose health it tells.
    dependencies
        What is needed, by name; each raises a `LearndockError` while it does not answer.
    """

    def __init__(self, running: RunningServer, dependencies: Mapping[str, Callable[[], object]]) -> None:
        super().__init__("readiness")
        self._running = running
        self._dependencies = dependencies
        self._away: frozenset[str] = frozenset()

    def start(self) -> None:
        """Look once, and then beside the calls."""
        self.look()
        super().start()

    def look(self) -> None:
        """Look at everything, and tell."""
        away = frozenset(name for name, answers in self._dependencies.items() if not self._has(name, answers))
        if away != self._away:
            _log.warning("readiness", extra={"away": sorted(away)})
        self._away = away
        self._running.tell_ready(ready=not away)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self.look()

    def _has(self, name: str, answers: Callable[[], object]) -> bool:
        try:
            answers()
        except LearndockError:
            telemetry.READY.labels(name).set(0)
            return False
        telemetry.READY.labels(name).set(1)
        return True
