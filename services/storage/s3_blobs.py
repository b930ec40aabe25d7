"""Packages in a bucket of an object store that speaks S3: MinIO, AWS, SeaweedFS and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.error import MinioException, S3Error
import urllib3

from learndock.errors import Reason, Unavailable
from learndock.serving.sql import now
from services.storage.blobs import CHUNK_BYTES, Blob, blob_name, is_sha256, unknown_blob, verified, verify_file

_QUARANTINE = "quarantine/"
_PART_BYTES = 16 * 2**20
_CONNECT_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5.0
_TRANSIENT = (500, 502, 503, 504)
_MISSING = ("NoSuchKey", "NoSuchObject")


@dataclass(frozen=True)
class Bucket:
    """Where a bucket is, and who may use it.

    Attributes
    ----------
    endpoint
        Host and port of the object store.
    name
        The bucket; made when it does not exist.
    access_key, secret_key
        Credentials.
    region
        Region; empty for the store's own.
    secure
        Whether to use TLS.
    timeout_seconds
        Longest wait for an answer.
    """

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str = ""
    secure: bool = True
    timeout_seconds: float = 10.0


class S3Blobs:
    """Blobs as objects `ab/cd/abcd...`; large ones in parts, none ever replaced by another."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket.name
        self._client = _client(bucket, _pool(urllib3.PoolManager, bucket))
        self._creator = _client(bucket, _pool(_CreatingPool, bucket))
        with _told():
            if not self._client.bucket_exists(bucket.name):
                self._client.make_bucket(bucket.name)

    def put(self, path: Path, sha256: str) -> None:
        """See `BlobStore.put`."""
        verify_file(path, sha256)
        if self.stat(sha256) is None:
            self._create(path, sha256)
        else:
            self._touch(sha256)

    def chunks(self, sha256: str, offset: int = 0) -> Iterator[bytes]:
        """See `BlobStore.chunks`."""
        pieces = self._pieces(sha256, offset)
        yield from pieces if offset else verified(pieces, sha256)

    def stat(self, sha256: str) -> Blob | None:
        """See `BlobStore.stat`."""
        with _told():
            try:
                found = self._client.stat_object(self._bucket, blob_name(sha256))
            except S3Error as error:
                if error.code in _MISSING:
                    return None
                raise
        assert found.size is not None  # noqa: S101  # the answer to HEAD tells both
        assert found.last_modified is not None  # noqa: S101
        return Blob(sha256, found.size, found.last_modified)

    def delete(self, sha256: str) -> None:
        """See `BlobStore.delete`."""
        with _told():
            self._client.remove_object(self._bucket, blob_name(sha256))

    def quarantine(self, sha256: str) -> None:
        """See `BlobStore.quarantine`."""
        source = CopySource(self._bucket, blob_name(sha256))
        with _told():
            self._client.copy_object(self._bucket, f"{_QUARANTINE}{sha256}.{uuid4().hex}", source)
        self.delete(sha256)

    def list_all(self) -> Iterator[Blob]:
        """See `BlobStore.list_all`."""
        with _told():
            for found in self._client.list_objects(self._bucket, recursive=True):
                name = (found.object_name or "").rpartition("/")[2]
                if is_sha256(name) and found.size is not None and found.last_modified:
                    yield Blob(name, found.size, found.last_modified)

    def url(self, sha256: str, lifetime: timedelta) -> str:
        """See `BlobStore.url`."""
        return self._client.presigned_get_object(self._bucket, blob_name(sha256), lifetime)

    def _create(self, path: Path, sha256: str) -> None:
        with _told(), path.open("rb") as file:
            try:
                self._creator.put_object(
                    self._bucket, blob_name(sha256), file, path.stat().st_size, part_size=_PART_BYTES
                )
            except S3Error as error:
                if error.code != "PreconditionFailed":  # another submission put the same bytes meanwhile
                    raise

    def _touch(self, sha256: str) -> None:
        name = blob_name(sha256)
        with _told():
            self._client.copy_object(
                self._bucket,
                name,
                CopySource(self._bucket, name),
                metadata={"touched": now().isoformat()},  # a copy onto itself must change something
                metadata_directive=REPLACE,
            )

    def _pieces(self, sha256: str, offset: int) -> Iterator[bytes]:
        with _told():
            try:
                response = self._client.get_object(self._bucket, blob_name(sha256), offset)
            except S3Error as error:
                if error.code in _MISSING:
                    raise unknown_blob(sha256) from None
                if error.code == "InvalidRange":  # the end itself
                    return
                raise
            try:
                yield from response.stream(CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()


class _CreatingPool(urllib3.PoolManager):
    """Lets no request replace an object: one that exists already is answered with PreconditionFailed."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # noqa: ANN401, FBT001, FBT002
        """Add the condition to requests that make an object: a whole one, or the end of one in parts."""
        if (method == "PUT") != ("uploadId=" in url):
            kw["headers"] = {**kw.get("headers", {}), "If-None-Match": "*"}
        return super().urlopen(method, url, redirect, **kw)


def _pool(kind: type[urllib3.PoolManager], bucket: Bucket) -> urllib3.PoolManager:
    return kind(
        maxsize=32,
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=bucket.timeout_seconds),
        retries=urllib3.Retry(total=4, connect=0, backoff_factor=0.05, status_forcelist=_TRANSIENT),
    )


def _client(bucket: Bucket, pool: urllib3.PoolManager) -> Minio:
    return Minio(
        bucket.endpoint,
        bucket.access_key,
        bucket.secret_key,
        secure=bucket.secure,
        region=bucket.region or None,
        http_client=pool,
    )


@contextmanager
def _told() -> Iterator[None]:
    """Failures of the object store as what callers handle."""
    try:
        yield
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, "The object store cannot be reached now.", retry_after=_RETRY_AFTER_SECONDS
        ) from error
