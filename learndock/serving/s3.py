"""Clients of object stores that speak S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import socket
from typing import Any, Self

from minio import Minio
from minio.error import MinioException, S3Error
import urllib3
from urllib3.connection import HTTPConnection

from learndock.errors import Reason, Unavailable

PIECE_BYTES = 2**20
_CONNECT_SECONDS = 1.0
_RETRY_AFTER_SECONDS = 5.0
_TRANSIENT = (500, 502, 503, 504)
# A peer that no longer acknowledges what it is sent is gone, as one that refuses connections.
_SILENT_MS = 1500
_SILENCE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT_MS),
]
_MADE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
MISSING = ("NoSuchKey", "NoSuchObject")
"""Codes by which stores say that there is no such object."""


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
    public_endpoint
        Host and port by which callers reach the object store; empty for the same.
    prefix
        What the names of all objects begin with.
    """

    endpoint: str
    name: str
    access_key: str
    secret_key: str
    region: str = ""
    secure: bool = True
    timeout_seconds: float = 10.0
    public_endpoint: str = ""
    prefix: str = ""


class CreatingPool(urllib3.PoolManager):
    """Lets no request replace an object: one that exists already is answered with PreconditionFailed."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> urllib3.BaseHTTPResponse:  # type: ignore[override]  # noqa: ANN401, FBT001, FBT002
        """Add the condition to requests that make an object: a whole one, or the end of one in parts."""
        if (method == "PUT") != ("uploadId=" in url):
            kw["headers"] = {**kw.get("headers", {}), "If-None-Match": "*"}
        return super().urlopen(method, url, redirect, **kw)


class _Retry(urllib3.Retry):
    """Repeats what was refused or cut off; who has waited for an answer in vain does not wait again."""

    def increment(self, *args: Any, **kw: Any) -> Self:  # noqa: ANN401
        """The retries that are left."""
        error = kw.get("error")
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise error
        return super().increment(*args, **kw)


def _pool(kind: type[urllib3.PoolManager], bucket: Bucket) -> urllib3.PoolManager:
    return kind(
        maxsize=32,
        timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=bucket.timeout_seconds),
        retries=_Retry(total=4, connect=0, backoff_factor=0.05, status_forcelist=_TRANSIENT),
        socket_options=[*HTTPConnection.default_socket_options, *_SILENCE],
    )


def open_client(bucket: Bucket, kind: type[urllib3.PoolManager] = urllib3.PoolManager) -> Minio:
    """A client of the bucket's object store."""
    return Minio(
        bucket.endpoint,
        bucket.access_key,
        bucket.secret_key,
        secure=bucket.secure,
        region=bucket.region or None,
        http_client=_pool(kind, bucket),
    )


@contextmanager
def told() -> Iterator[None]:
    """Failures of the object store as what callers handle."""
    try:
        yield
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, "The object store cannot be reached now.", retry_after=_RETRY_AFTER_SECONDS
        ) from error


def make_bucket(client: Minio, name: str) -> None:
    """Make a bucket if there is none; several may try at the same time."""
    if client.bucket_exists(name):
        return
    try:
        client.make_bucket(name)
    except S3Error as error:
        if error.code not in _MADE:
            raise


def pieces_of(client: Minio, bucket: str, name: str, offset: int = 0) -> Iterator[bytes]:
    """Bytes of an object from an offset on, in pieces of at most 1 MiB; raises S3Error when there is none."""
    try:
        response = client.get_object(bucket, name, offset)
    except S3Error as error:
        if error.code == "InvalidRange":  # the end itself
            return
        raise
    try:
        yield from response.stream(PIECE_BYTES)
    finally:
        response.close()
        response.release_conn()
