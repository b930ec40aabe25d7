"""Giving packages out: never a wrong byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from learndock.errors import DataLoss, FailedPrecondition, InvalidInput, OutOfRange, Reason
from learndock.learnware import LearnwareVersion
from learndock.serving import caller, telemetry
from learndock.serving.sql import now
from services.storage.blobs import BlobStore

_DEFAULT_LIFETIME_SECONDS = 900
_MAX_LIFETIME_SECONDS = 86_400


@dataclass(frozen=True)
class Address:
    """Where bytes are served without the dock.

    Attributes
    ----------
    url
        Serves the bytes by GET.
    expire_time
        When it ends.
    """

    url: str
    expire_time: datetime


def package_address(blobs: BlobStore, version: LearnwareVersion, lifetime_seconds: int) -> Address:
    """Address of a package; 0 seconds ask for the default of 15 minutes.

    Raises
    ------
    InvalidInput
        The lifetime is longer than a day.
    DataLoss
        HASH_MISMATCH: the bytes are gone or have changed.
    FailedPrecondition
        URL_UNSUPPORTED: this dock keeps packages in a folder.
    """
    if lifetime_seconds > _MAX_LIFETIME_SECONDS:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"An address works for at most {_MAX_LIFETIME_SECONDS} s.", field="lifetime_seconds"
        )
    _check_present(blobs, version)
    lifetime = timedelta(seconds=lifetime_seconds or _DEFAULT_LIFETIME_SECONDS)
    expire_time = now() + lifetime
    url = blobs.url(version.sha256, lifetime)
    if url is None:
        raise FailedPrecondition(Reason.URL_UNSUPPORTED, "This dock keeps packages in a folder; use DownloadPackage.")
    return Address(url, expire_time)


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
    _check_present(blobs, version)
    if offset == version.size_bytes:
        yield offset, b""
        return
    for piece in blobs.chunks(version.sha256, offset):
        caller.check_active()
        telemetry.BLOB_BYTES.labels("out").inc(len(piece))
        yield offset, piece
        offset += len(piece)


def _check_present(blobs: BlobStore, version: LearnwareVersion) -> None:
    blob = blobs.stat(version.sha256)
    if blob is None or blob.size_bytes != version.size_bytes:
        raise DataLoss(
            Reason.HASH_MISMATCH,
            f"The bytes of version {version.version} are not what was uploaded; its owner should upload it again.",
            resource=version.learnware_id,
        )
