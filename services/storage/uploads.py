"""Packages on their way in: resumable, and forgotten when nobody goes on.

An upload is a row, and bytes in a staging place. The row's `committed_bytes` are kept for certain; what lies beyond
them is dropped before anything is appended. So a broken stream, a killed service and a lost page cache all end in a
state from which the sender can go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import delete, select
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
from learndock.serving import faults, telemetry
from learndock.serving.sql import Database, now
from services.storage.blobs import is_sha256
from services.storage.checkpoints import Checkpoints
from services.storage.models import SegmentRow, UploadRow
from services.storage.staging import Consignment, Draft, Piece, Staging

MAX_CHUNK_BYTES = 2**20
_CHECKPOINT_BYTES = 16 * 2**20
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
    sha256
        Declared digest; empty where the sender did not tell.
    committed_bytes
        Bytes that are safely stored.
    expire_time
        When it is forgotten.
    """

    upload_id: str
    owner_id: str
    learnware_id: str
    size_bytes: int
    sha256: str
    committed_bytes: int
    expire_time: datetime

    @property
    def consignment(self) -> Consignment:
        """What was announced of it."""
        return Consignment(self.upload_id, self.size_bytes, self.sha256)


@dataclass(frozen=True)
class Chunk:
    """Bytes at an offset.

    Attributes
    ----------
    offset
        Where they belong.
    data
        The bytes.
    sha256
        Digest of the whole upload, if the sender tells it now.
    """

    offset: int
    data: bytes
    sha256: str = ""


@dataclass(frozen=True)
class UploadLimits:
    """How much may be sent.

    Attributes
    ----------
    max_package_bytes
        Largest package.
    lifetime
        Time until an unfinished upload is forgotten.
    """

    max_package_bytes: int
    lifetime: timedelta


class Uploads:
    """Uploads of a service: rows in its database, bytes in a staging place."""

    def __init__(self, database: Database, staging: Staging, limits: UploadLimits) -> None:
        self._database = database
        self._staging = staging
        self._limits = limits

    def start(
        self, session: Session, principal: Principal, *, size_bytes: int, learnware_id: str, sha256: str = ""
    ) -> Upload:
        """Begin an upload, in the transaction of `session`.

        Raises
        ------
        InvalidInput
            The size is 0, or the digest is none.
        ResourceExhausted
            PACKAGE_TOO_LARGE.
        """
        self._check_size(size_bytes)
        _check_digest(sha256)
        row = UploadRow(
            upload_id=uuid4().hex,
            owner_id=principal.user_id,
            learnware_id=learnware_id,
            size_bytes=size_bytes,
            sha256=sha256,
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
                raise _unknown(upload_id)
            upload = _upload(row)
        return replace(upload, committed_bytes=self._staging.length(upload_id, upload.committed_bytes))

    def write(self, principal: Principal, upload_id: str, chunks: Iterable[Chunk]) -> Upload:
        """Append chunks; when they break off, what came before is committed all the same.

        Raises
        ------
        NotFound
            The caller has no such upload.
        OutOfRange
            OFFSET_MISMATCH: a chunk is for another place than the committed offset.
        InvalidInput
            A chunk is too long, goes beyond the declared size, or tells a digest that is none.
        """
        self.get(principal, upload_id)
        with _disk_told(), self._staging.hold(upload_id):
            upload = self.get(principal, upload_id)
            with self._staging.draft(upload.consignment, upload.committed_bytes) as draft:
                self._pour(chunks, draft, upload)
        return self.get(principal, upload_id)

    def collected(self, upload: Upload) -> AbstractContextManager[Path]:
        """A local file of a whole upload."""
        return self._staging.collected(upload.consignment)

    def forwarded(self, upload: Upload, sha256: str) -> bool:
        """Whether a whole upload is with the other packages already, under this digest."""
        return self._staging.forwarded(upload.consignment, sha256)

    def forget(self, session: Session, upload_id: str) -> None:
        """Remove an upload's rows in a transaction; `discard` its bytes afterwards."""
        _remove_rows(session, [upload_id])

    def discard(self, upload_id: str) -> None:
        """Remove an upload's bytes."""
        self._staging.discard(upload_id)

    def cancel(self, upload_id: str) -> None:
        """Forget an upload and its bytes."""
        with self._database.write() as session:
            self.forget(session, upload_id)
        self.discard(upload_id)

    def purge_expired(self) -> int:
        """Forget uploads whose time is over, and bytes without a row; how many rows that were."""
        with self._database.write() as session:
            expired = list(session.scalars(select(UploadRow.upload_id).where(UploadRow.expire_time <= now())))
            _remove_rows(session, expired)
            known = set(session.scalars(select(UploadRow.upload_id)))
        faults.reach("gc.uploads_forgotten")
        for upload_id in expired:
            self._staging.discard(upload_id)
        self._staging.sweep(known)
        return len(expired)

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes < 1:
            raise InvalidInput(Reason.FIELD_INVALID, "A package has at least one byte.", field="size_bytes")
        if size_bytes > self._limits.max_package_bytes:
            raise ResourceExhausted(
                Reason.PACKAGE_TOO_LARGE,
                f"The package has {size_bytes} bytes; this dock takes {self._limits.max_package_bytes}.",
            )

    def _pour(self, chunks: Iterable[Chunk], draft: Draft, upload: Upload) -> None:
        committed = written = upload.committed_bytes
        with Checkpoints(lambda piece, position: self._commit(piece, upload.upload_id, position)) as checkpoints:
            try:
                for chunk in chunks:
                    _check_chunk(chunk, written, upload.size_bytes)
                    if chunk.sha256:
                        draft.announce(chunk.sha256)
                    draft.append(chunk.data)
                    telemetry.BLOB_BYTES.labels("in").inc(len(chunk.data))
                    written += len(chunk.data)
                    if written - committed >= _CHECKPOINT_BYTES:
                        checkpoints.begin(draft.cut(), written)
                        committed = written
            finally:
                if written > committed:
                    checkpoints.end(draft.cut(), written)

    def _commit(self, piece: Piece, upload_id: str, committed_bytes: int) -> None:
        piece.sync()
        faults.reach("upload.synced")
        with self._database.write() as session:
            row = session.get(UploadRow, upload_id, with_for_update=True)
            if row is None:
                raise _unknown(upload_id)
            piece.note(session)
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


def _remove_rows(session: Session, upload_ids: Sequence[str]) -> None:
    for table in (SegmentRow, UploadRow):
        session.execute(delete(table).where(table.upload_id.in_(upload_ids)))


def _unknown(upload_id: str) -> NotFound:
    return NotFound(Reason.RESOURCE_UNKNOWN, f"You have no upload {upload_id}.", resource=upload_id)


def _check_digest(sha256: str) -> None:
    if sha256 and not is_sha256(sha256):
        raise InvalidInput(Reason.FIELD_INVALID, "A SHA-256 has 64 hexadecimal digits, lower case.", field="sha256")


def _check_chunk(chunk: Chunk, committed: int, size_bytes: int) -> None:
    _check_digest(chunk.sha256)
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
        sha256=row.sha256,
        committed_bytes=row.committed_bytes,
        expire_time=row.expire_time,
    )
