"""Packages in a bucket of an object store that speaks S3: MinIO, AWS, SeaweedFS and others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import BinaryIO, cast
from uuid import uuid4

from minio.commonconfig import REPLACE, CopySource
from minio.error import S3Error

from learndock.serving.s3 import MISSING, Bucket, CreatingPool, make_bucket, open_client, pieces_of, told
from learndock.serving.sql import now
from services.storage.blobs import (
    Blob,
    CheckedSource,
    Source,
    blob_name,
    is_sha256,
    unknown_blob,
    verified,
)

_QUARANTINE = "quarantine/"
_USUAL_REGION = "us-east-1"
_PART_BYTES = 8 * 2**20


class S3Blobs:
    """Blobs as objects `ab/cd/abcd...`; large ones in parts, none ever replaced by another."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket.name
        self._prefix = bucket.prefix
        self._client = open_client(bucket)
        self._creator = open_client(bucket, CreatingPool)
        public = replace(
            bucket, endpoint=bucket.public_endpoint or bucket.endpoint, region=bucket.region or _USUAL_REGION
        )
        self._signer = open_client(public)  # asks nobody, so it need not reach what callers reach
        with told():
            make_bucket(self._client, bucket.name)

    def put(self, source: Source, size_bytes: int, sha256: str) -> None:
        """See `BlobStore.put`."""
        checked = CheckedSource(source, size_bytes, sha256)
        if self.stat(sha256) is None:
            self._create(checked, size_bytes, sha256)
        else:
            checked.exhaust()
            self._touch(sha256)

    def chunks(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        """See `BlobStore.chunks`."""
        pieces = self._pieces(sha256, offset)
        yield from pieces if offset else verified(pieces, sha256)

    def stat(self, sha256: str) -> Blob | None:
        """See `BlobStore.stat`."""
        with told():
            try:
                found = self._client.stat_object(self._bucket, self._name(sha256))
            except S3Error as error:
                if error.code in MISSING:
                    return None
                raise
        assert found.size is not None  # noqa: S101  # the answer to HEAD tells both
        assert found.last_modified is not None  # noqa: S101
        return Blob(sha256, found.size, found.last_modified)

    def delete(self, sha256: str) -> None:
        """See `BlobStore.delete`."""
        with told():
            self._client.remove_object(self._bucket, self._name(sha256))

    def quarantine(self, sha256: str) -> None:
        """See `BlobStore.quarantine`."""
        source = CopySource(self._bucket, self._name(sha256))
        with told():
            self._client.copy_object(self._bucket, f"{self._prefix}{_QUARANTINE}{sha256}.{uuid4().hex}", source)
        self.delete(sha256)

    def list_all(self) -> Iterator[Blob]:
        """See `BlobStore.list_all`."""
        with told():
            for found in self._client.list_objects(self._bucket, self._prefix, recursive=True):
                name = (found.object_name or "").rpartition("/")[2]
                if is_sha256(name) and found.size is not None and found.last_modified:
                    yield Blob(name, found.size, found.last_modified)

    def url(self, sha256: str, lifetime: timedelta) -> str:
        """See `BlobStore.url`."""
        return self._signer.presigned_get_object(self._bucket, self._name(sha256), lifetime)

    def _name(self, sha256: str) -> str:
        return self._prefix + blob_name(sha256)

    def _create(self, source: CheckedSource, size_bytes: int, sha256: str) -> None:
        with told():
            try:
                self._creator.put_object(
                    self._bucket, self._name(sha256), cast(BinaryIO, source), size_bytes, part_size=_PART_BYTES
                )
            except S3Error as error:
                if error.code != "PreconditionFailed":  # another submission put the same bytes meanwhile
                    raise

    def _touch(self, sha256: str) -> None:
        name = self._name(sha256)
        with told():
            self._client.copy_object(
                self._bucket,
                name,
                CopySource(self._bucket, name),
                metadata={"touched": now().isoformat()},  # a copy onto itself must change something
                metadata_directive=REPLACE,
            )

    def _pieces(self, sha256: str, offset: int) -> Iterator[bytes]:
        with told():
            try:
                yield from pieces_of(self._client, self._bucket, self._name(sha256), offset)
            except S3Error as error:
                if error.code in MISSING:
                    raise unknown_blob(sha256) from None
                raise
