"""What an index needs now and then, beside following: islands fitted anew, and snapshots."""

from __future__ import annotations

from collections.abc import Callable
import logging
import threading
import time

from learndock.serving.background import BackgroundWorker
from services.search.index import DockIndex
from services.search.live import LiveIndex
from services.search.snapshot import SnapshotFile

# Between two looks at whether anything is to be done, in seconds.
_PAUSE = 0.25
_PAUSE_AFTER_FAULT = 5.0

_log = logging.getLogger("learndock.search")


class Upkeep(BackgroundWorker):
    """Fits islands anew and saves the index, in a thread of its own: neither keeps searches or changes waiting.

    Parameters
    ----------
    live
        The index.
    snapshots
        Where it is saved.
    snapshot_seconds
        Least time between two snapshots.
    """

    def __init__(self, live: LiveIndex, snapshots: SnapshotFile, *, snapshot_seconds: float) -> None:
        super().__init__("search-upkeep")
        self._live = live
        self._snapshots = snapshots
        self._snapshot_seconds = snapshot_seconds
        self._saving = threading.Lock()
        self._saved = _state(live.current)
        self._saved_at = time.monotonic()
        self._retired = 0

    def stop(self, grace: float) -> None:
        """Stop, and save the index as it is. A fit that takes longer is left; the next start makes it again."""
        super().stop(grace)
        self._attempt(self._save)

    def _run(self) -> None:
        while not self._stopping.wait(_PAUSE):
            self._attempt(self._refit)
            if time.monotonic() - self._saved_at > self._snapshot_seconds:
                self._attempt(self._save)

    def _attempt(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:  # such as a full disk; the index in memory goes on
            _log.exception("upkeep_failed")
            self._stopping.wait(_PAUSE_AFTER_FAULT)

    def _refit(self) -> None:
        while not self._stopping.is_set() and self._live.refit():
            pass

    def _save(self) -> None:
        with self._saving:
            self._saved_at = time.monotonic()
            saved = self._live.saved_state()
            if _state(saved.index) != self._saved:
                self._snapshots.save(saved)
                self._saved = _state(saved.index)
                self._retired = self._live.forget_retired_words(self._retired)


def _state(index: DockIndex) -> tuple[int, tuple[int, ...]]:
    """What tells two indexes of a dock apart: the last change, and the profiles."""
    return index.sequence, tuple(island.profile.number for island in index.islands.values())
