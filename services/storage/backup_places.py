"""Where backups lie: in a folder, or in a bucket of an object store."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
import os
from pathlib import Path
import shutil
from typing import Protocol

from minio.error import S3Error

from learndock.serving.s3 import MISSING, Bucket, open_client, told
from services.storage.blobs import BlobStore, FolderBlobs
from services.storage.s3_blobs import S3Blobs

_PACKAGES = "packages"


class BackupPlace(Protocol):
    """Keeps files under names `BACKUP/FILE`, and beside them the packages that all backups share."""

    @property
    def packages(self) -> BlobStore:
        """The packages."""

    def keep(self, name: str, file: Path) -> None:
        """Keep a copy of a file durably; it is there whole or not at all."""

    def fetch(self, name: str, target: Path) -> bool:
        """Copy a kept file to a local one; False when there is none."""

    def names(self) -> list[str]:
        """Names of all kept files, sorted."""

    def remove(self, name: str) -> None:
        """Remove a kept file."""


class FolderPlace:
    """Backups as folders of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def packages(self) -> BlobStore:
        """See `BackupPlace.packages`; made when first asked for."""
        return FolderBlobs(self._folder / _PACKAGES)

    def keep(self, name: str, file: Path) -> None:
        """See `BackupPlace.keep`."""
        target = self._folder / name
        target.parent.mkdir(exist_ok=True)
        aside = target.with_name(f".{target.name}")
        shutil.copyfile(file, aside)
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.rename(target)

    def fetch(self, name: str, target: Path) -> bool:
        """See `BackupPlace.fetch`."""
        try:
            shutil.copyfile(self._folder / name, target)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def names(self) -> list[str]:
        """See `BackupPlace.names`."""
        return sorted(str(path.relative_to(self._folder)) for path in self._folder.glob("*Z/*"))

    def remove(self, name: str) -> None:
        """See `BackupPlace.remove`."""
        path = self._folder / name
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()


class BucketPlace:
    """Backups as objects of a bucket, under the bucket's prefix."""

    def __init__(self, bucket: Bucket) -> None:
        self._place = bucket
        self._bucket = bucket.name
        self._prefix = bucket.prefix
        self._client = open_client(bucket)

    @cached_property
    def packages(self) -> BlobStore:
        """See `BackupPlace.packages`; the bucket is made when they are first asked for."""
        return S3Blobs(replace(self._place, prefix=f"{self._prefix}{_PACKAGES}/"))

    def keep(self, name: str, file: Path) -> None:
        """See `BackupPlace.keep`."""
        with told():
            self._client.fput_object(self._bucket, self._prefix + name, str(file))

    def fetch(self, name: str, target: Path) -> bool:
        """See `BackupPlace.fetch`."""
        with told():
            try:
                self._client.fget_object(self._bucket, self._prefix + name, str(target))
            except S3Error as error:
                if error.code in MISSING:
                    return False
                raise
        return True

    def names(self) -> list[str]:
        """See `BackupPlace.names`."""
        with told():
            found = self._client.list_objects(self._bucket, self._prefix, recursive=True)
            names = [(each.object_name or "").removeprefix(self._prefix) for each in found]
        return sorted(name for name in names if name.partition("/")[0].endswith("Z"))

    def remove(self, name: str) -> None:
        """See `BackupPlace.remove`."""
        with told():
            self._client.remove_object(self._bucket, self._prefix + name)
