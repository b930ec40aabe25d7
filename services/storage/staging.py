"""Where the bytes of unfinished uploads lie.

One replica keeps them in a folder. Where several replicas serve one catalogue they lie in the bucket (see
`bucket_staging`), so that whichever replica is asked goes on with what any other has taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
import fcntl
from io import FileIO
import os
from pathlib import Path
import threading
import time
from typing import BinaryIO, Protocol

from sqlalchemy.orm import Session

from learndock.errors import Reason, Unavailable
from learndock.serving import caller
from services.storage.forwarding import Forwarding, GrowingFile

LEFTOVER_SECONDS = 3600.0
_LOCK_SECONDS = 20.0


@dataclass(frozen=True)
class Consignment:
    """What a sender has announced.

    Attributes
    ----------
    upload_id
        The upload.
    size_bytes
        Declared length.
    sha256
        Declared digest; empty where the sender did not tell.
    """

    upload_id: str
    size_bytes: int
    sha256: str


class Piece(Protocol):
    """Bytes that were appended and are not committed yet."""

    def sync(self) -> None:
        """Make them durable."""

    def note(self, session: Session) -> None:
        """Note where they lie, in the transaction that commits them.

        Raises
        ------
        OutOfRange
            OFFSET_MISMATCH: another writer has committed bytes for the same place.
        """


class Draft(Protocol):
    """An upload that is being written."""

    def announce(self, sha256: str) -> None:
        """Take in what digest the whole will have, as the sender says."""

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""

    def cut(self) -> Piece:
        """What was appended since the last cut."""


class Staging(Protocol):
    """Keeps bytes of uploads until they are finished, cancelled or expired."""

    def length(self, upload_id: str, committed_bytes: int) -> int:
        """How many of the committed bytes are there for certain."""

    def draft(self, consignment: Consignment, committed_bytes: int) -> AbstractContextManager[Draft]:
        """Write on after the committed bytes; what lies beyond them is dropped."""

    def hold(self, upload_id: str) -> AbstractContextManager[None]:
        """Keep other writers of this replica away; raises Unavailable when one of them does not end."""

    def collected(self, consignment: Consignment) -> AbstractContextManager[Path]:
        """A local file of the whole package."""

    def forwarded(self, consignment: Consignment, sha256: str) -> bool:
        """Whether the package was found to have the digest and was put to the other packages while it came."""

    def discard(self, upload_id: str) -> None:
        """Remove an upload's bytes."""

    def sweep(self, known: Set[str]) -> None:
        """Remove what belongs to no known upload and is older than an hour."""


class FolderStaging:
    """Uploads as files of a folder."""

    def __init__(self, folder: Path, forwarding: Forwarding) -> None:
        self._folder = folder
        self._forwarding = forwarding
        folder.mkdir(parents=True, exist_ok=True)

    def length(self, upload_id: str, committed_bytes: int) -> int:
        """See `Staging.length`; a file is shorter than what was committed if the disk lost some."""
        try:
            return min(committed_bytes, self._path(upload_id).stat().st_size)
        except FileNotFoundError:  # before the first chunk
            return 0

    @contextmanager
    def draft(self, consignment: Consignment, committed_bytes: int) -> Iterator[FolderDraft]:
        """See `Staging.draft`."""
        path = self._path(consignment.upload_id)
        with path.open("r+b", buffering=0) as file:
            file.truncate(committed_bytes)
            file.seek(committed_bytes)
            draft = FolderDraft(file, consignment, self._forwarding if committed_bytes == 0 else None)
            draft.announce(consignment.sha256)
            try:
                yield draft
            finally:
                draft.end()

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[None]:
        """See `Staging.hold`; a former stream of a broken connection is waited for."""
        descriptor = os.open(self._path(upload_id), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "rb") as file:
            give_up_at = time.monotonic() + _LOCK_SECONDS
            while not _try_lock(file):
                caller.check_active()
                if time.monotonic() > give_up_at:
                    raise Unavailable(
                        Reason.SERVICE_UNAVAILABLE, "Another stream is writing to this upload.", retry_after=1.0
                    )
                time.sleep(0.02)
            yield

    @contextmanager
    def collected(self, consignment: Consignment) -> Iterator[Path]:
        """See `Staging.collected`."""
        yield self._path(consignment.upload_id)

    def forwarded(self, consignment: Consignment, sha256: str) -> bool:
        """See `Staging.forwarded`."""
        return self._forwarding.settle(consignment.upload_id, sha256)

    def discard(self, upload_id: str) -> None:
        """See `Staging.discard`."""
        self._forwarding.forget(upload_id)
        path = self._path(upload_id)
        with suppress(FileNotFoundError):
            file = path.open("rb")
            path.unlink()
            # The room of a large file takes the system a while to free; nobody has to wait for that.
            threading.Thread(target=file.close).start()

    def sweep(self, known: Set[str]) -> None:
        """See `Staging.sweep`."""
        for path in self._folder.iterdir():
            if path.name not in known and is_leftover(path):
                self.discard(path.name)

    def _path(self, upload_id: str) -> Path:
        return self._folder / upload_id


class FolderDraft:
    """A file that is written, and forwarded as it grows once the digest of the whole is known.

    Parameters
    ----------
    file
        The file, open where writing goes on.
    consignment
        What was announced of the whole.
    forwarding
        What forwards; None for the rest of a file that was begun before.
    """

    def __init__(self, file: FileIO, consignment: Consignment, forwarding: Forwarding | None) -> None:
        self._file = file
        self._consignment = consignment
        self._forwarding = forwarding
        self._forward: GrowingFile | None = None

    def announce(self, sha256: str) -> None:
        """See `Draft.announce`."""
        if self._forwarding is not None and self._forward is None:
            whole = self._consignment
            self._forward = self._forwarding.begin(whole.upload_id, Path(self._file.name), whole.size_bytes, sha256)

    def append(self, data: bytes) -> None:
        """See `Draft.append`."""
        self._file.write(data)
        if self._forward is not None:
            self._forward.grow(self._file.tell())

    def cut(self) -> FilePiece:
        """See `Draft.cut`."""
        return FilePiece(self._file.fileno())

    def end(self) -> None:
        """Forward no part of a file that did not become whole."""
        if self._forward is not None and self._file.tell() < self._consignment.size_bytes:
            self._forward.abandon()


@dataclass(frozen=True)
class FilePiece:
    """Bytes in an open file."""

    descriptor: int

    def sync(self) -> None:
        """See `Piece.sync`."""
        os.fsync(self.descriptor)

    def note(self, session: Session) -> None:
        """See `Piece.note`: the file's name tells where they are."""


def is_leftover(path: Path) -> bool:
    """Whether nobody has written to a file for long."""
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > LEFTOVER_SECONDS
    return False


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
