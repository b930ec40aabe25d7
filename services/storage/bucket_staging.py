"""Unfinished uploads in the bucket, where every replica finds them.

Each commit makes an object of the bytes since the last one and notes it in the catalogue's database, in the transaction
that moves the committed offset. So the offset is right whichever replica tells it, and of two writers that go on from
the same offset one is refused by the table's key.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from learndock.errors import OutOfRange, Reason, ResourceExhausted
from learndock.serving.sql import Database
from services.storage.models import SegmentRow
from services.storage.s3_drafts import S3Drafts
from services.storage.staging import LEFTOVER_SECONDS, Consignment, is_leftover

_MAX_SEGMENTS = 4096


class BucketStaging:
    """Uploads as objects of a bucket, collected in a folder when they are whole."""

    def __init__(self, database: Database, drafts: S3Drafts, folder: Path) -> None:
        self._database = database
        self._drafts = drafts
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def length(self, upload_id: str, committed_bytes: int) -> int:
        """See `Staging.length`: an object store loses nothing."""
        return committed_bytes

    @contextmanager
    def draft(self, consignment: Consignment, committed_bytes: int) -> Iterator[BucketDraft]:
        """See `Staging.draft`."""
        with self._database.read() as session:
            count = session.scalar(select(func.count()).where(SegmentRow.upload_id == consignment.upload_id)) or 0
        if count >= _MAX_SEGMENTS:
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS, "The upload has broken off too often; cancel it and begin anew."
            )
        yield BucketDraft(self._drafts, consignment.upload_id, committed_bytes)

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[None]:
        """See `Staging.hold`: the database keeps writers apart, also those of other replicas."""
        yield

    @contextmanager
    def collected(self, consignment: Consignment) -> Iterator[Path]:
        """See `Staging.collected`."""
        path = self._folder / f"{consignment.upload_id}.{uuid4().hex}"
        try:
            with path.open("xb") as file:
                for name in self._segments(consignment.upload_id):
                    file.writelines(self._drafts.pieces(name))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def forwarded(self, consignment: Consignment, sha256: str) -> bool:
        """See `Staging.forwarded`: nothing is."""
        return False

    def discard(self, upload_id: str) -> None:
        """See `Staging.discard`."""
        self._drafts.discard(upload_id)

    def sweep(self, known: Set[str]) -> None:
        """See `Staging.sweep`."""
        for path in self._folder.iterdir():
            if is_leftover(path):
                path.unlink(missing_ok=True)
        for upload_id in self._drafts.older_than(timedelta(seconds=LEFTOVER_SECONDS)) - known:
            self.discard(upload_id)

    def _segments(self, upload_id: str) -> list[str]:
        query = select(SegmentRow.name).where(SegmentRow.upload_id == upload_id).order_by(SegmentRow.start)
        with self._database.read() as session:
            return list(session.scalars(query))


class BucketDraft:
    """Bytes that wait in memory for the next commit."""

    def __init__(self, drafts: S3Drafts, upload_id: str, start: int) -> None:
        self._drafts = drafts
        self._upload_id = upload_id
        self._start = start
        self._data = bytearray()

    def announce(self, sha256: str) -> None:
        """See `Draft.announce`: another replica may end the upload, so nothing is done before."""

    def append(self, data: bytes) -> None:
        """See `Draft.append`."""
        self._data += data

    def cut(self) -> Segment:
        """See `Draft.cut`."""
        segment = Segment(self._drafts, self._upload_id, self._start, bytes(self._data))
        self._start += len(self._data)
        self._data = bytearray()
        return segment


class Segment:
    """Bytes that become an object."""

    def __init__(self, drafts: S3Drafts, upload_id: str, start: int, data: bytes) -> None:
        self._drafts = drafts
        self._upload_id = upload_id
        self._start = start
        self._data = data
        self._name = ""

    def sync(self) -> None:
        """See `Piece.sync`."""
        self._name = self._drafts.put(self._upload_id, self._data)

    def note(self, session: Session) -> None:
        """See `Piece.note`."""
        session.add(SegmentRow(upload_id=self._upload_id, start=self._start, name=self._name))
        try:
            session.flush()
        except IntegrityError as error:
            raise OutOfRange(
                Reason.OFFSET_MISMATCH,
                "Another stream went on with this upload; ask for its committed offset.",
                resource=str(self._start),
            ) from error
