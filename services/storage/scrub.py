"""Reading packages back, slowly and all the time, so that damage is found before anybody needs the package."""

from __future__ import annotations

from collections.abc import Iterator
import logging
import secrets
import time

from sqlalchemy import select

from learndock.errors import DataLoss, LearndockError, NotFound
from learndock.serving.background import BackgroundWorker
from learndock.serving.sql import Database
from learndock.serving.telemetry import PACKAGES_DAMAGED, PACKAGES_SCRUBBED
from services.storage.blobs import BlobStore
from services.storage.models import VersionRow

_BATCH = 100

_log = logging.getLogger("learndock.storage")


class Scrub(BackgroundWorker):
    """A worker that reads every package once in an interval and puts aside those that are damaged.

    What was put aside is whole again once anybody uploads it. A round begins at a random digest, so that a service that
    is often restarted, and several replicas, come to all packages alike.
    """

    def __init__(
        self, database: Database, blobs: BlobStore, *, bytes_per_second: float, interval_seconds: float
    ) -> None:
        super().__init__("scrub")
        self._database = database
        self._blobs = blobs
        self._bytes_per_second = bytes_per_second
        self._interval_seconds = interval_seconds

    def start(self) -> None:
        """Begin, unless there is no interval."""
        if self._interval_seconds:
            super().start()

    def run_round(self) -> list[str]:
        """Read every package once; the digests of those that were put aside.

        Raises
        ------
        Unavailable
            Database or object store cannot be reached.
        """
        damaged = []
        for sha256 in self._digests(secrets.token_hex(32)):
            PACKAGES_SCRUBBED.inc()
            # What came damaged over the network once comes whole the next time.
            if not self._is_intact(sha256) and not self._is_intact(sha256):
                self._blobs.quarantine(sha256)
                PACKAGES_DAMAGED.inc()
                _log.error("package_damaged", extra={"sha256": sha256})
                damaged.append(sha256)
        return damaged

    def _digests(self, beginning: str) -> Iterator[str]:
        """Digests of all packages, from one on in order and then those before it."""
        yield from self._between(beginning, "g")  # no digit
        yield from self._between("", beginning)

    def _between(self, after: str, end: str) -> Iterator[str]:
        while True:
            query = select(VersionRow.sha256).distinct().where(VersionRow.sha256 > after, VersionRow.sha256 <= end)
            with self._database.read() as session:
                batch = list(session.scalars(query.order_by(VersionRow.sha256).limit(_BATCH)))
            for sha256 in batch:
                if self._stopping.is_set():
                    return
                yield sha256
            if not batch:
                return
            after = batch[-1]

    def _is_intact(self, sha256: str) -> bool:
        begun, count = time.monotonic(), 0
        try:
            for piece in self._blobs.chunks(sha256):
                count += len(piece)
                self._stopping.wait(max(0.0, count / self._bytes_per_second - (time.monotonic() - begun)))
                if self._stopping.is_set():
                    return True  # as far as it was read
        except NotFound:
            return True  # gone, which `fsck` tells; there is nothing to put aside
        except DataLoss:
            return False
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            begun = time.monotonic()
            try:
                self.run_round()
            except (LearndockError, OSError):  # the next round tries again
                _log.exception("scrub_failed")
            self._stopping.wait(max(60.0, self._interval_seconds - (time.monotonic() - begun)))
