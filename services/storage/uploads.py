"""Packages on their way in: resumable, and forgotten when nobody goes on.

An upload is a row and a file. The row's `committed_bytes` are on disk for certain; what the file holds beyond them is
cut off before anything is appended. So a broken stream, a killed service and a lost page cache all end in a state
from which the sender can go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import fcntl
import os
from pathlib import Path
import time
from typing import BinaryIO
from uuid import uuid4

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from learndock.account import Principal
from learndock.errors import (
    InvalidInput,
    NotFound,
    OutOfRange,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from learndock.serving import caller, faults
from learndock.serving.sql import Database, now
from services.storage.models import UploadRow

MAX_CHUNK_BYTES = 2**20
_CHECKPOINT_BYTES = 8 * 2**20
_LOCK_SECONDS = 20.0
_DISK_RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class Upload:
    """A package on its way in.

    Attributes
    ----------
    upload_id
        Opaque id.
    owner_id
        Who sends it.
    learnware_id
        Learnware of which it becomes a version; empty for a new one.
    size_bytes
        Declared length.
    committed_bytes
        Bytes that are safely stored.
    expire_time
        When it is forgotten.
    """

    upload_id: str
    owner_id: str
    learnware_id: str
    size_bytes: int
    committed_bytes: int
    expire_time: datetime


@dataclass(frozen=True)
class Chunk:
    """Bytes at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class UploadLimits:
    """How much may be sent.

    Attributes
    ----------
    max_package_bytes
        Largest package.
    max_open_uploads
        Unfinished uploads of one user.
    lifetime
        Time until an unfinished upload is forgotten.
    """

    max_package_bytes: int
    max_open_uploads: int
    lifetime: timedelta


class Uploads:
    """Uploads of a service: rows in its database, files in a folder."""

    def __init__(self, database: Database, folder: Path, limits: UploadLimits) -> None:
        self._database = database
        self._folder = folder
        self._limits = limits
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, session: Session, principal: Principal, *, size_bytes: int, learnware_id: str) -> Upload:
        """Begin an upload, in the transaction of `session`.

        Raises
        ------
        InvalidInput
            The size is 0.
        ResourceExhausted
            The size, or the number of unfinished uploads, is above the limit.
        """
        self._check_size(size_bytes)
        own = select(func.count()).select_from(UploadRow).where(UploadRow.owner_id == principal.user_id)
        if (session.scalar(own) or 0) >= self._limits.max_open_uploads:
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS, "You have too many unfinished uploads; finish or cancel some."
            )
        row = UploadRow(
            upload_id=uuid4().hex,
            owner_id=principal.user_id,
            learnware_id=learnware_id,
            size_bytes=size_bytes,
            committed_bytes=0,
            expire_time=now() + self._limits.lifetime,
        )
        session.add(row)
        session.flush()
        return _upload(row)

    def get(self, principal: Principal, upload_id: str) -> Upload:
        """An upload of the caller.

        Raises
        ------
        NotFound
            The caller has none of this id.
        """
        with self._database.read() as session:
            row = session.get(UploadRow, upload_id)
            if row is None or row.owner_id != principal.user_id or row.expire_time <= now():
                raise NotFound(Reason.RESOURCE_UNKNOWN, f"You have no upload {upload_id}.", resource=upload_id)
            upload = _upload(row)
        return replace(upload, committed_bytes=min(upload.committed_bytes, self._length(upload_id)))

    def write(self, principal: Principal, upload_id: str, chunks: Iterable[Chunk]) -> Upload:
        """Append chunks; when they break off, what came before is committed all the same.

        Raises
        ------
        NotFound
            The caller has no such upload.
        OutOfRange
            OFFSET_MISMATCH: a chunk is for another place than the committed offset.
        InvalidInput
            A chunk is too long, or goes beyond the declared size.
        """
        self.get(principal, upload_id)
        with _disk_told(), self._locked(upload_id) as file:
            upload = self.get(principal, upload_id)
            committed = self._truncated(file, upload)
            written = committed
            try:
                for chunk in chunks:
                    _check_chunk(chunk, written, upload.size_bytes)
                    file.write(chunk.data)
                    written += len(chunk.data)
                    if written - committed >= _CHECKPOINT_BYTES:
                        self._commit(file, upload_id, written)
                        committed = written
            finally:
                self._commit(file, upload_id, written)
        return self.get(principal, upload_id)

    def path(self, upload_id: str) -> Path:
        """File of an upload."""
        return self._folder / upload_id

    def forget(self, session: Session, upload_id: str) -> None:
        """Remove an upload's row in a transaction; `discard` its file afterwards."""
        session.execute(delete(UploadRow).where(UploadRow.upload_id == upload_id))

    def discard(self, upload_id: str) -> None:
        """Remove an upload's file."""
        self.path(upload_id).unlink(missing_ok=True)

    def cancel(self, upload_id: str) -> None:
        """Forget an upload and its bytes."""
        with self._database.write() as session:
            self.forget(session, upload_id)
        self.discard(upload_id)

    def purge_expired(self) -> int:
        """Forget uploads whose time is over, and files without a row; how many rows that were."""
        with self._database.write() as session:
            expired = list(session.scalars(select(UploadRow.upload_id).where(UploadRow.expire_time <= now())))
            session.execute(delete(UploadRow).where(UploadRow.upload_id.in_(expired)))
            known = set(session.scalars(select(UploadRow.upload_id)))
        faults.reach("gc.uploads_forgotten")
        for path in self._folder.iterdir():
            if path.name not in known and self._is_old(path):
                path.unlink(missing_ok=True)
        return len(expired)

    def _length(self, upload_id: str) -> int:
        """Length of an upload's file; 0 before the first chunk, less than was committed if the disk lost some."""
        try:
            return self.path(upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    def _is_old(self, path: Path) -> bool:
        with suppress(FileNotFoundError):
            return time.time() - path.stat().st_mtime > min(self._limits.lifetime.total_seconds(), 3600)
        return False

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes < 1:
            raise InvalidInput(Reason.FIELD_INVALID, "A package has at least one byte.", field="size_bytes")
        if size_bytes > self._limits.max_package_bytes:
            raise ResourceExhausted(
                Reason.PACKAGE_TOO_LARGE,
                f"The package has {size_bytes} bytes; this dock takes {self._limits.max_package_bytes}.",
            )

    @contextmanager
    def _locked(self, upload_id: str) -> Iterator[BinaryIO]:
        """The upload's file, held by this writer alone; a former stream of a broken connection is waited for."""
        descriptor = os.open(self.path(upload_id), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            give_up_at = time.monotonic() + _LOCK_SECONDS
            while not _try_lock(file):
                caller.check_active()
                if time.monotonic() > give_up_at:
                    raise Unavailable(
                        Reason.SERVICE_UNAVAILABLE, "Another stream is writing to this upload.", retry_after=1.0
                    )
                time.sleep(0.02)
            yield file

    def _truncated(self, file: BinaryIO, upload: Upload) -> int:
        """Make file and row agree: on what both hold for certain."""
        length = file.seek(0, os.SEEK_END)
        committed = min(length, upload.committed_bytes)
        file.truncate(committed)
        file.seek(committed)
        if committed < upload.committed_bytes:
            self._commit(file, upload.upload_id, committed)
        return committed

    def _commit(self, file: BinaryIO, upload_id: str, committed_bytes: int) -> None:
        os.fsync(file.fileno())
        faults.reach("upload.synced")
        with self._database.write() as session:
            row = session.get(UploadRow, upload_id)
            if row is not None:
                row.committed_bytes = committed_bytes
                row.expire_time = now() + self._limits.lifetime
        faults.reach("upload.committed")


@contextmanager
def _disk_told() -> Iterator[None]:
    """A disk that is full or fails is something that passes: the sender goes on later."""
    try:
        yield
    except ConnectionError:  # the sender's, not the disk's
        raise
    except OSError as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, "The bytes cannot be written now.", retry_after=_DISK_RETRY_SECONDS
        ) from error


def _try_lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_chunk(chunk: Chunk, committed: int, size_bytes: int) -> None:
    if len(chunk.data) > MAX_CHUNK_BYTES:
        raise InvalidInput(Reason.FIELD_INVALID, f"A chunk has at most {MAX_CHUNK_BYTES} bytes.", field="data")
    if chunk.offset != committed:
        raise OutOfRange(
            Reason.OFFSET_MISMATCH,
            f"The committed offset is {committed}, not {chunk.offset}; go on from there.",
            resource=str(committed),
        )
    if committed + len(chunk.data) > size_bytes:
        raise InvalidInput(Reason.FIELD_INVALID, f"The upload was declared to have {size_bytes} bytes.", field="data")


def _upload(row: UploadRow) -> Upload:
    return Upload(
        upload_id=row.upload_id,
        owner_id=row.owner_id,
        learnware_id=row.learnware_id,
        size_bytes=row.size_bytes,
        committed_bytes=row.committed_bytes,
        expire_time=row.expire_time,
    )
