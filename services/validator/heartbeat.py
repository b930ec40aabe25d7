"""Keeps a lease alive while its worker is busy, and stops the worker when the lease is lost."""

from __future__ import annotations

from collections.abc import Callable
import logging
import threading
from types import TracebackType
from typing import Self

from learndock.errors import Aborted, LearndockError
from learndock.serving.sql import Database
from services.validator import queue
from services.validator.record import Lease

_log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease three times as often as it must, between `with` and its end.

    Parameters
    ----------
    database
        Where the lease is.
    lease
        The lease.
    seconds
        How long each renewal holds.
    on_loss
        Called once, from another thread, when the lease is lost.
    """

    def __init__(self, database: Database, lease: Lease, seconds: float, on_loss: Callable[[], None]) -> None:
        self._database = database
        self._lease = lease
        self._seconds = seconds
        self._on_loss = on_loss
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="validator-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds / 3):
            try:
                with self._database.write() as session:
                    queue.renew(session, self._lease, self._seconds)
            except Aborted:
                self._on_loss()
                return
            except LearndockError as error:  # the database is busy; there are two more tries
                _log.warning("renewal_failed", extra={"error": error.message})
