"""Fetching packages straight from the object store, at an address that the dock has signed."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from learndock.errors import LearndockError
from learndock.learnware import LearnwareVersion
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub

if TYPE_CHECKING:
    from learndock.client.transfer import Progress

MIN_BYTES = 32 * 2**20
"""Size from which the way round the dock is worth a question."""

_CHUNK_BYTES = 2**20
_STALL_SECONDS = 5.0
_PARTIAL = 206


def fetch_directly(stub: StorageServiceStub, version: LearnwareVersion, part: Path, progress: Progress) -> None:
    """Append to a file what the object store gives of the package's rest; nothing where there is no such way.

    The bytes are not verified. Whatever goes wrong ends it: the dock gives what is missing.
    """
    try:
        url = stub.GetDownloadUrl(
            pb.GetDownloadUrlRequest(learnware_id=version.learnware_id, version=version.version)
        ).url
        if url.startswith(("http://", "https://")):
            _append(url, version.size_bytes, part, progress)
    except (LearndockError, HTTPException, OSError):
        return


def _append(url: str, size_bytes: int, part: Path, progress: Progress) -> None:
    with part.open("ab") as file:
        if file.tell() >= size_bytes:
            return
        request = Request(url, headers={"Range": f"bytes={file.tell()}-"})  # noqa: S310  # of the schemes above
        with urlopen(request, timeout=_STALL_SECONDS) as response:  # noqa: S310
            if response.status != _PARTIAL:
                return
            while data := response.read(min(_CHUNK_BYTES, size_bytes - file.tell())):
                file.write(data)
                progress(file.tell(), size_bytes)
