"""Fetching packages straight from the object store, at an address that the dock has signed."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPException
from urllib.request import Request, urlopen

from learndock.errors import LearndockError
from learndock.learnware import LearnwareVersion
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub

MIN_BYTES = 32 * 2**20
"""Size from which the way round the dock is worth a question."""

_CHUNK_BYTES = 2**20
_STALL_SECONDS = 5.0
_PARTIAL = 206


def pieces(stub: StorageServiceStub, version: LearnwareVersion, offset: int) -> Iterator[bytes]:
    """What the object store gives of a package from an offset on; nothing where there is no such way.

    The bytes are not verified. Whatever goes wrong ends it: the dock gives what is missing.
    """
    try:
        url = stub.GetDownloadUrl(
            pb.GetDownloadUrlRequest(learnware_id=version.learnware_id, version=version.version)
        ).url
        if url.startswith(("http://", "https://")):
            yield from _served(url, offset, version.size_bytes - offset)
    except (LearndockError, HTTPException, OSError):
        return


def _served(url: str, offset: int, left: int) -> Iterator[bytes]:
    request = Request(url, headers={"Range": f"bytes={offset}-"})  # noqa: S310  # of the schemes above
    with urlopen(request, timeout=_STALL_SECONDS) as response:  # noqa: S310
        if response.status != _PARTIAL:
            return
        while data := response.read(min(_CHUNK_BYTES, left)):
            left -= len(data)
            yield data
