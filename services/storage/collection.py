"""Packages that belong to no version: found, and removed after a time of grace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from learndock.serving import faults
from learndock.serving.sql import Database, now
from services.storage import store
from services.storage.blobs import Blob, BlobStore


class Collection:
    """Finds and removes packages that nothing refers to.

    A submission puts its package, then enters the version that refers to it. So a package is left alone until nobody
    has put it for longer than `grace`, and it is removed while writers wait: a version entered later finds it gone.
    """

    def __init__(self, database: Database, blobs: BlobStore, grace: timedelta) -> None:
        self._database = database
        self._blobs = blobs
        self._grace = grace

    def orphans(self) -> Iterator[Blob]:
        """Packages that nothing refers to and whose time of grace is over."""
        for blob in self._blobs.list_all():
            if not self._is_old(blob):
                continue
            with self._database.read() as session:
                referred = store.is_referred(session, blob.sha256)
            if not referred:
                yield blob

    def remove(self, sha256: str) -> bool:
        """Remove a package unless it was put again or referred to meanwhile; whether it was removed."""
        with self._database.write() as session:
            store.hold_writers(session)
            blob = self._blobs.stat(sha256)
            if blob is None or not self._is_old(blob) or store.is_referred(session, sha256):
                return False
            faults.reach("gc.found")
            self._blobs.delete(sha256)
            faults.reach("gc.removed")
        return True

    def _is_old(self, blob: Blob) -> bool:
        return blob.touch_time <= now() - self._grace
