"""The worker that keeps a copy of the snapshot in the bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
import logging

from learndock.errors import Unavailable
from learndock.serving.background import BackgroundWorker
from services.search.snapshot import SnapshotFile
from services.search.snapshot_copies import SnapshotCopies

# Between two looks at whether there is a snapshot to be copied, and after the object store could not be reached.
_PAUSE_SECONDS = 5.0
_PAUSE_AFTER_FAULT = 60.0

_log = logging.getLogger("learndock.search")


class Copier(BackgroundWorker):
    """Copies the snapshot when the copy in the bucket is old, in a thread of its own: a first one is gigabytes.

    Parameters
    ----------
    copies
        The bucket.
    snapshots
        The snapshot on this machine's disk.
    interval
        Least age of a copy, whoever made it, before the next is made.
    """

    def __init__(self, copies: SnapshotCopies, snapshots: SnapshotFile, interval: timedelta) -> None:
        super().__init__("search-copier")
        self._copies = copies
        self._snapshots = snapshots
        self._interval = interval

    def _run(self) -> None:
        pause = _PAUSE_SECONDS
        while not self._stopping.wait(min(pause, self._interval.total_seconds())):
            pause = _PAUSE_SECONDS if self._attempt() else _PAUSE_AFTER_FAULT

    def _attempt(self) -> bool:
        """Copy if it is time to; False after a fault."""
        try:
            if self._due():
                self._copies.save(wanted=lambda: not self._stopping.is_set())
        except Unavailable as error:
            _log.warning("copy_failed", extra={"error": repr(error.__cause__)})
            return False
        except Exception:  # the index goes on without a copy
            _log.exception("copy_failed")
            return False
        return True

    def _due(self) -> bool:
        sequence = self._snapshots.sequence()
        if sequence is None:
            return False
        latest = self._copies.latest()
        if latest is None:
            return True
        age = datetime.now(UTC) - datetime.fromisoformat(latest.save_time)
        return age >= self._interval and (sequence != latest.sequence or not self._copies.is_whole(latest))
