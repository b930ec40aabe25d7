"""The sandboxes of this process: chosen when first needed, swept now and then."""

from __future__ import annotations

import logging
import threading

from learndock.errors import LearndockError
from learndock.sandbox import file_fence, index_gate
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Executor, Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.serving.background import BackgroundWorker
from services.validator.config import Settings

SWEEP_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Sandboxes:
    """Makes the launcher as soon as an executor works.

    Parameters
    ----------
    settings
        Where models run.
    limits
        What each may use.
    """

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self._settings = settings
        self._limits = limits
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._launcher: LearnwareLauncher | None = None

    @property
    def executor_name(self) -> str:
        """Name of the executor in use; empty before one was found."""
        return self._executor.name if self._executor else ""

    def launcher(self) -> LearnwareLauncher:
        """Starts the models of packages.

        Raises
        ------
        FailedPrecondition
            NO_SANDBOX: no executor works here now. It is looked for again at the next call.
        """
        with self._lock:
            if self._launcher is None:
                self._executor = choose_executor(self._settings.executor, self._settings.cluster)
                self._launcher = self._made(self._executor)
                self._launcher.sweep()
            return self._launcher

    def _made(self, executor: Executor) -> LearnwareLauncher:
        settings = self._settings
        if not file_fence.version():
            _log.warning("installer_not_fenced")
        if not index_gate.available():
            _log.warning("installer_network_open")
        return LearnwareLauncher(
            executor,
            EnvironmentCache(
                settings.environments,
                constraints=settings.constraints,
                max_bytes=settings.max_environments_bytes,
                pins=settings.pins,
            ),
            settings.data_dir / "work",
            self._limits,
            load_timeout=settings.load_seconds,
        )


class Sweeper(BackgroundWorker):
    """Removes what validators that died have left, at the start and then all the time."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        super().__init__("validator-sweeper")
        self._sandboxes = sandboxes

    def _run(self) -> None:
        while True:
            try:
                self._sandboxes.launcher().sweep()
            except LearndockError as error:
                _log.warning("sweep_failed", extra={"error": error.message})
            if self._stopping.wait(SWEEP_SECONDS):
                return
