"""Large packages go on to where packages lie while they come, instead of once they have come.

A package is forwarded once its sender told its SHA-256, if it comes in one stream. What is forwarded has that digest or
is not kept; a forward that fails costs nothing but time, since the end of the upload then puts the package as it does
all others.
"""

from __future__ import annotations

from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
import logging
import os
from pathlib import Path
import threading

from learndock.errors import LearndockError
from services.storage.blobs import BlobStore

MIN_BYTES = 32 * 2**20
_AT_ONCE = 4  # each holds some parts of 8 MiB

_log = logging.getLogger("learndock.storage")


class GrowingFile:
    """A file that is read to its end while another thread writes it."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._file = path.open("rb")
        self._size_bytes = size_bytes
        self._written = 0
        self._abandoned = False
        self._grown = threading.Condition()

    def grow(self, written: int) -> None:
        """Let so many bytes be read."""
        with self._grown:
            self._written = written
            self._grown.notify_all()

    def abandon(self) -> None:
        """No more will come."""
        with self._grown:
            self._abandoned = True
            self._grown.notify_all()

    def read(self, size: int) -> bytes:
        """The next bytes, waited for; ConnectionError once the file is abandoned."""
        end = min(self._file.tell() + size, self._size_bytes)
        with self._grown:
            self._grown.wait_for(lambda: self._abandoned or self._written >= end)
            if self._written < end:
                raise ConnectionError("the upload broke off")
        data = self._file.read(end - self._file.tell())
        # What has gone on and is on the disk makes room for what comes: writing into pages that are at hand costs a
        # fraction of writing into new ones.
        os.posix_fadvise(self._file.fileno(), 0, end, os.POSIX_FADV_DONTNEED)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Forwarding:
    """Packages that are on their way from a file that grows to where packages lie."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="forward")
        self._lock = threading.Lock()
        self._forwards: dict[str, tuple[str, Future[bool]]] = {}

    def begin(self, upload_id: str, path: Path, size_bytes: int, sha256: str) -> GrowingFile | None:
        """A file to be told as it grows, and abandoned if it does not grow whole; None if it is not forwarded."""
        if size_bytes < MIN_BYTES or not sha256:
            return None
        with self._lock:
            if sum(not future.done() for _, future in self._forwards.values()) >= _AT_ONCE:
                return None
            source = GrowingFile(path, size_bytes)
            self._forwards[upload_id] = sha256, self._pool.submit(self._forward, source, size_bytes, sha256)
        return source

    def settle(self, upload_id: str, sha256: str) -> bool:
        """Wait until an upload is forwarded; whether a package of this digest was kept."""
        with self._lock:
            declared, future = self._forwards.pop(upload_id, ("", None))
        if future is None or declared != sha256:
            return False
        try:
            return future.result()
        except CancelledError:
            return False

    def forget(self, upload_id: str) -> None:
        """Nobody will ask for an upload any more."""
        with self._lock:
            self._forwards.pop(upload_id, None)

    def close(self) -> None:
        """End; what was not begun is not."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _forward(self, source: GrowingFile, size_bytes: int, sha256: str) -> bool:
        try:
            self._blobs.put(source, size_bytes, sha256)
        except (LearndockError, OSError):  # the end of the upload tells what is wrong
            _log.info("forward_failed", exc_info=True)
            return False
        finally:
            source.close()
        return True
