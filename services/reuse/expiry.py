"""Forgetting what nobody uses any more."""

from __future__ import annotations

import logging
import threading

from learndock.errors import LearndockError
from services.reuse.reusers import Reusers

_log = logging.getLogger("learndock.reuse")


class Expiry:
    """Looks for expired reusers every so often, in a thread of its own.

    Parameters
    ----------
    reusers
        Knows which have expired.
    interval
        Seconds between looks.
    """

    def __init__(self, reusers: Reusers, interval: float) -> None:
        self._reusers = reusers
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiry", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Stop looking."""
        self._stopped.set()
        self._thread.join(grace)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._reusers.forget_expired()
            except LearndockError as error:  # the database may be busy; the next look does it
                _log.warning("expiry_failed", extra={"error": error.message})
