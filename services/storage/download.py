"""Giving packages out: never a wrong byte."""

from __future__ import annotations

from collections.abc import Iterator

from learndock.errors import DataLoss, OutOfRange, Reason
from learndock.learnware import LearnwareVersion
from learndock.serving import caller
from services.storage.blobs import BlobStore


def read_package(blobs: BlobStore, version: LearnwareVersion, offset: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of a package from an offset on, each with its own offset; at least one, which may be empty.

    Raises
    ------
    OutOfRange
        The offset is beyond the end.
    DataLoss
        HASH_MISMATCH: the bytes are gone or have changed.
    """
    if offset > version.size_bytes:
        raise OutOfRange(
            Reason.OFFSET_MISMATCH, f"The package has {version.size_bytes} bytes.", resource=version.learnware_id
        )
    blob = blobs.stat(version.sha256)
    if blob is None or blob.size_bytes != version.size_bytes:
        raise DataLoss(
            Reason.HASH_MISMATCH,
            f"The bytes of version {version.version} are not what was uploaded; its owner should upload it again.",
            resource=version.learnware_id,
        )
    if offset == version.size_bytes:
        yield offset, b""
    for piece in blobs.chunks(version.sha256, offset) if offset < version.size_bytes else ():
        caller.check_active()
        yield offset, piece
        offset += len(piece)
