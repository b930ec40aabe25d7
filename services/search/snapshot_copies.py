"""Copies of the index's snapshot in a bucket, so that a replica with an empty disk need not read the whole catalogue.

The snapshot and every segment of its pack are objects named by their SHA-256; `index.json` names those that belong
together and is written last. An interrupted copy is therefore none, and the one before holds. Segments that are full
never change, so they are sent once. Replicas share a bucket: whoever comes first after the interval makes the copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
import hashlib
import io
import json
import os
from pathlib import Path
from typing import BinaryIO

from minio.error import S3Error

from learndock.serving.s3 import MISSING, Bucket, make_bucket, open_client, pieces_of, told
from services.search.packs import SEGMENT_BYTES, segment_path
from services.search.snapshot import Header, SnapshotFile

FORMAT = 1
_MANIFEST = "index.json"
_PARTS = "parts/"
# What an interrupted or older copy left is removed after this time: another replica may be at a copy until then.
_LEFT_FOR = timedelta(days=1)
_PART_BYTES = 16 * 2**20
_READ_BYTES = 2**20


@dataclass(frozen=True)
class Manifest:
    """A copy.

    Attributes
    ----------
    format
        `FORMAT`.
    sequence
        Last change that the index had applied.
    snapshot
        SHA-256 of the snapshot.
    pack
        Name of its pack.
    segments
        SHA-256 of each segment of the pack, as far as it holds.
    save_time
        When it was made, ISO 8601 with time zone.
    """

    format: int
    sequence: int
    snapshot: str
    pack: str
    segments: tuple[str, ...]
    save_time: str

    @classmethod
    def read(cls, text: bytes) -> Manifest:
        """A manifest as it lies in the bucket; raises ValueError where it is none of this format."""
        facts = json.loads(text)
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ValueError("The bucket holds no manifest of this format.")
        return cls(**{**facts, "segments": tuple(facts["segments"]), "pack": Path(facts["pack"]).name})

    @property
    def parts(self) -> frozenset[str]:
        """SHA-256 of all objects that belong to it."""
        return frozenset((self.snapshot, *self.segments))


class SnapshotCopies:
    """The bucket where copies lie.

    Parameters
    ----------
    bucket
        The bucket, made when it does not exist; nothing else lies under its prefix.
    snapshots
        The snapshot on this machine's disk.
    """

    def __init__(self, bucket: Bucket, snapshots: SnapshotFile) -> None:
        self._bucket = bucket.name
        self._manifest = bucket.prefix + _MANIFEST
        self._parts = bucket.prefix + _PARTS
        self._client = open_client(bucket)
        self._snapshots = snapshots
        self._hashed: dict[Path, str] = {}  # full segments, which never change

    def latest(self) -> Manifest | None:
        """The copy that holds; None where there is none that can be read. Raises `Unavailable`."""
        with told():
            try:
                return Manifest.read(b"".join(pieces_of(self._client, self._bucket, self._manifest)))
            except (ValueError, KeyError, TypeError):
                return None
            except S3Error as error:
                if error.code in (*MISSING, "NoSuchBucket"):
                    return None
                raise

    def is_whole(self, copy: Manifest) -> bool:
        """Whether all objects of a copy are there. Raises `Unavailable`."""
        with told():
            return copy.parts <= self._held().keys()

    def save(self, *, wanted: Callable[[], bool]) -> bool:
        """Copy the snapshot as it lies on disk now; tells whether that was done.

        Parameters
        ----------
        wanted
            Asked before each object; when it denies, the copy is given up.

        Raises
        ------
        Unavailable
            The object store cannot be reached.
        """
        with self._snapshots.opened() as (header, file), told():
            make_bucket(self._client, self._bucket)
            held = self._held()
            segments = []
            for path, size in _segments(self._snapshots.packs / header.pack, header.pack_bytes):
                if not wanted():
                    return False
                segments.append(self._send_segment(path, size, held))
            snapshot = self._send(file, os.fstat(file.fileno()).st_size, held)
            self._end(header, snapshot, tuple(segments))
        return True

    def _send_segment(self, path: Path, size: int, held: Mapping[str, datetime]) -> str:
        known = self._hashed.get(path)
        if known is not None and known in held:
            return known
        with path.open("rb") as file:
            sha256 = self._send(file, size, held)
        if size == SEGMENT_BYTES:
            self._hashed[path] = sha256
        return sha256

    def _send(self, file: BinaryIO, size: int, held: Mapping[str, datetime]) -> str:
        """Send the first bytes of a file unless they are there; their SHA-256."""
        sha256 = _sha256(file, size)
        if sha256 not in held:
            file.seek(0)
            self._client.put_object(self._bucket, self._parts + sha256, file, size, part_size=_PART_BYTES)
        return sha256

    def _end(self, header: Header, snapshot: str, segments: tuple[str, ...]) -> None:
        """Let the copy hold, and remove what belongs to none."""
        now = datetime.now(UTC)
        manifest = Manifest(FORMAT, header.sequence, snapshot, header.pack, segments, now.isoformat())
        text = json.dumps(asdict(manifest)).encode()
        self._client.put_object(self._bucket, self._manifest, io.BytesIO(text), len(text))
        for sha256, modified in self._held().items():
            if sha256 not in manifest.parts and modified < now - _LEFT_FOR:
                self._client.remove_object(self._bucket, self._parts + sha256)

    def _held(self) -> Mapping[str, datetime]:
        """SHA-256 of the objects that lie there, and when they were written."""
        items = self._client.list_objects(self._bucket, self._parts)
        return {
            item.object_name.removeprefix(self._parts): item.last_modified
            for item in items
            if item.object_name and item.last_modified
        }

    def fetch(self) -> bool:
        """Bring the copy to this machine's disk, where `SnapshotFile.load` finds it.

        Tells whether that was done: False where there is no copy, or parts of it are missing or damaged.

        Raises
        ------
        Unavailable
            The object store cannot be reached.
        """
        manifest = self.latest()
        if manifest is None:
            return False
        folder = self._snapshots.packs / manifest.pack
        folder.mkdir(parents=True, exist_ok=True)
        beside = self._snapshots.path.with_name(self._snapshots.path.name + ".fetched")
        wanted = [(sha256, segment_path(folder, number)) for number, sha256 in enumerate(manifest.segments)]
        with told():
            if not all(self._bring(sha256, path) for sha256, path in (*wanted, (manifest.snapshot, beside))):
                return False
        beside.replace(self._snapshots.path)
        return True

    def _bring(self, sha256: str, path: Path) -> bool:
        """Write an object to a file; False where it is missing or damaged, and then removed to be sent anew."""
        digest = hashlib.sha256()
        try:
            with path.open("wb") as file:
                for piece in pieces_of(self._client, self._bucket, self._parts + sha256):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
        except S3Error as error:
            if error.code in MISSING:
                return False
            raise
        if digest.hexdigest() != sha256:
            self._client.remove_object(self._bucket, self._parts + sha256)
            return False
        return True


def _segments(folder: Path, length: int) -> Sequence[tuple[Path, int]]:
    """Segments of a pack that holds so many bytes, and how many of each."""
    starts = range(0, length, SEGMENT_BYTES)
    return [(segment_path(folder, n), min(SEGMENT_BYTES, length - start)) for n, start in enumerate(starts)]


def _sha256(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size > 0 and (piece := file.read(min(size, _READ_BYTES))):
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()
