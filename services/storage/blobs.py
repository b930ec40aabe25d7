"""Where packages lie: by their SHA-256, never changed once written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import hashlib
import os
from pathlib import Path
import re
import shutil
from typing import Protocol
from uuid import uuid4

from learndock.errors import DataLoss, NotFound, Reason, Unavailable
from learndock.serving import faults

CHUNK_BYTES = 2**20
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Blob:
    """A stored package.

    Attributes
    ----------
    sha256
        Its digest and name, 64 hexadecimal digits.
    size_bytes
        Its length.
    touch_time
        When it was last put.
    """

    sha256: str
    size_bytes: int
    touch_time: datetime


class Source(Protocol):
    """Bytes to keep: an open file, or what is still on its way."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, fewer than `size` only at the end."""


class BlobStore(Protocol):
    """Keeps immutable bytes under their SHA-256.

    `put` makes a blob; putting it again changes nothing but its touch time. `delete` ends it. A blob that nothing
    refers to may be deleted once it has not been touched for longer than any submission takes, so that a `put`
    just before the reference is made protects it.
    """

    def put(self, source: Source, size_bytes: int, sha256: str) -> None:
        """Keep what a source of so many bytes gives, durably.

        Raises
        ------
        DataLoss
            HASH_MISMATCH: the bytes do not have this digest; nothing is kept.
        Unavailable
            The store cannot be reached, or is full.
        """

    def chunks(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        """The bytes from an offset on, in pieces of at most 1 MiB.

        Read from the start, the digest is checked before the last piece is given.

        Raises
        ------
        NotFound
            There is no such blob.
        DataLoss
            HASH_MISMATCH: the bytes have changed.
        """

    def stat(self, sha256: str) -> Blob | None:
        """What is known of a blob; None when there is none."""

    def delete(self, sha256: str) -> None:
        """Forget a blob; one that is not there is no error."""

    def quarantine(self, sha256: str) -> None:
        """Put a damaged blob aside for a person to look at; `stat` knows it no more, and it can be put anew."""

    def list_all(self) -> Iterator[Blob]:
        """All blobs, in no order."""

    def url(self, sha256: str, lifetime: timedelta) -> str | None:
        """Address that serves the bytes by GET without the dock, for a while; None where there is no such thing."""


class FolderBlobs:
    """Blobs as files of a folder, `ab/cd/abcd...`; written aside, synced, then renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._aside = root / "incoming"
        self._aside.mkdir(parents=True, exist_ok=True)

    def put(self, source: Source, size_bytes: int, sha256: str) -> None:
        """See `BlobStore.put`."""
        target = self._path(sha256)
        checked = CheckedSource(source, size_bytes, sha256)
        if target.exists():
            checked.exhaust()
            os.utime(target)
            return
        aside = self._aside / uuid4().hex
        try:
            with aside.open("xb") as file:
                shutil.copyfileobj(checked, file, CHUNK_BYTES)
                file.flush()
                os.fsync(file.fileno())
            faults.reach("package.written")
            target.parent.mkdir(parents=True, exist_ok=True)
            aside.rename(target)
            faults.reach("package.renamed")
            for folder in (target.parent, target.parent.parent, self._root):
                _sync_folder(folder)
        except OSError as error:
            raise Unavailable(
                Reason.SERVICE_UNAVAILABLE, "The package cannot be stored now.", retry_after=5.0
            ) from error
        finally:
            aside.unlink(missing_ok=True)

    def chunks(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        """See `BlobStore.chunks`."""
        try:
            file = self._path(sha256).open("rb")
        except FileNotFoundError:
            raise unknown_blob(sha256) from None
        with file:
            if offset:
                file.seek(offset)
                yield from iter(lambda: file.read(CHUNK_BYTES), b"")
            else:
                yield from verified(iter(lambda: file.read(CHUNK_BYTES), b""), sha256)

    def stat(self, sha256: str) -> Blob | None:
        """See `BlobStore.stat`."""
        try:
            return _blob(self._path(sha256))
        except FileNotFoundError:
            return None

    def delete(self, sha256: str) -> None:
        """See `BlobStore.delete`."""
        self._path(sha256).unlink(missing_ok=True)

    def quarantine(self, sha256: str) -> None:
        """See `BlobStore.quarantine`."""
        aside = self._root / "quarantine"
        aside.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            self._path(sha256).rename(aside / f"{sha256}.{uuid4().hex}")

    def list_all(self) -> Iterator[Blob]:
        """See `BlobStore.list_all`."""
        for path in self._root.glob("??/??/*"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield _blob(path)

    def url(self, sha256: str, lifetime: timedelta) -> None:
        """See `BlobStore.url`: a folder has no addresses."""

    def _path(self, sha256: str) -> Path:
        return self._root / blob_name(sha256)


def is_sha256(text: str) -> bool:
    """Whether a text is a digest as blobs are named by."""
    return _SHA256.fullmatch(text) is not None


def blob_name(sha256: str) -> str:
    """Where a blob lies in its store: `ab/cd/abcd...`."""
    if not is_sha256(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256")  # a fault of ours: callers' digests are checked before
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _blob(path: Path) -> Blob:
    status = path.stat()
    return Blob(path.name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def verified(pieces: Iterator[bytes], sha256: str) -> Iterator[bytes]:
    """The pieces, the last of them only once the digest of all is found right; raises DataLoss otherwise."""
    digest = hashlib.sha256()
    held = b""
    for piece in pieces:
        if held:
            yield held
        digest.update(piece)
        held = piece
    if digest.hexdigest() != sha256:
        raise damaged(sha256)
    if held:
        yield held


class CheckedSource:
    """A source that gives its last byte only once the digest of all is found right; raises DataLoss otherwise."""

    def __init__(self, source: Source, size_bytes: int, sha256: str) -> None:
        self._source = source
        self._left = size_bytes
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self._check()

    def read(self, size: int = CHUNK_BYTES, /) -> bytes:
        """The next bytes."""
        data = self._source.read(min(size, self._left))
        if not data and self._left:
            raise damaged(self._sha256)
        self._digest.update(data)
        self._left -= len(data)
        self._check()
        return data

    def exhaust(self) -> None:
        """Read to the end."""
        while self.read():
            pass

    def _check(self) -> None:
        if not self._left and self._digest.hexdigest() != self._sha256:
            raise damaged(self._sha256)


def unknown_blob(sha256: str) -> NotFound:
    """The error for a blob that is not there."""
    return NotFound(Reason.RESOURCE_UNKNOWN, f"There is no package {sha256}.", resource=sha256)


def damaged(sha256: str) -> DataLoss:
    """The error for bytes that are not what their name says."""
    return DataLoss(Reason.HASH_MISMATCH, f"The bytes of package {sha256} do not have that SHA-256.", resource=sha256)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
