"""Tidying up: what was begun and left, deleted and not restored, kept and not referred to."""

from __future__ import annotations

from datetime import timedelta
import logging

from learndock.errors import LearndockError
from learndock.serving.background import BackgroundWorker
from learndock.serving.sql import Database, now
from services.storage import catalogue, changes, store
from services.storage.collection import Collection
from services.storage.uploads import Uploads

_log = logging.getLogger("learndock.storage")


class Housekeeping(BackgroundWorker):
    """A worker that tidies up at its start and then every now and then."""

    def __init__(
        self,
        database: Database,
        collection: Collection,
        uploads: Uploads,
        *,
        undelete_window: timedelta,
        change_retention: timedelta,
        interval_seconds: float,
    ) -> None:
        super().__init__("housekeeping")
        self._database = database
        self._collection = collection
        self._uploads = uploads
        self._undelete_window = undelete_window
        self._change_retention = change_retention
        self._interval_seconds = interval_seconds

    def sweep(self) -> dict[str, int]:
        """One round; how much of each kind was removed."""
        uploads = self._uploads.purge_expired()
        with self._database.write() as session:
            store.hold_writers(session)
            learnwares = catalogue.purge_deleted(session, self._undelete_window)
            dropped = changes.compact(session, now() - self._change_retention)
        return {"uploads": uploads, "learnwares": learnwares, "packages": self._remove_orphans(), "changes": dropped}

    def _remove_orphans(self) -> int:
        removed = 0
        for blob in self._collection.orphans():
            if self._stopping.is_set():
                break
            removed += self._collection.remove(blob.sha256)
        return removed

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                removed = self.sweep()
            except (LearndockError, OSError):  # the next round tries again
                _log.exception("sweep_failed")
            else:
                if any(removed.values()):
                    _log.info("swept", extra=removed)
            self._stopping.wait(self._interval_seconds)
