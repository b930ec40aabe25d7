"""Forgetting what nobody uses any more."""

from __future__ import annotations

import logging

from learndock.errors import LearndockError
from learndock.serving.background import BackgroundWorker
from services.reuse.reusers import Reusers

_log = logging.getLogger("learndock.reuse")


class Expiry(BackgroundWorker):
    """Looks for expired reusers every so often, in a thread of its own.

    Parameters
    ----------
    reusers
        Knows which have expired.
    interval
        Seconds between looks.
    """

    def __init__(self, reusers: Reusers, interval: float) -> None:
        super().__init__("expiry")
        self._reusers = reusers
        self._interval = interval

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._reusers.forget_expired()
            except LearndockError as error:  # the database may be busy; the next look does it
                _log.warning("expiry_failed", extra={"error": error.message})
