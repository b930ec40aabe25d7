"""Packages at hand: fetched from storage once, verified, kept under their SHA-256."""

from __future__ import annotations

from collections.abc import Callable, Iterable
import hashlib
import os
from pathlib import Path
import uuid

from learndock.errors import DataLoss, Reason
from services.reuse.record import MemberRecord

_PARTIAL = ".part"


Download = Callable[[MemberRecord], Iterable[bytes]]


class PackageCache:
    """Packages in a folder.

    Parameters
    ----------
    folder
        Where they are kept; made when missing.
    download
        Gives a member's package piece by piece.
    max_bytes
        Size above which the packages that were not used for longest are removed.
    """

    def __init__(self, folder: Path, download: Download, max_bytes: int) -> None:
        self._folder = folder
        self._download = download
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        for abandoned in folder.glob(f"*{_PARTIAL}"):
            abandoned.unlink()

    def fetch(self, member: MemberRecord) -> Path:
        """The member's package, from the folder or else from storage.

        Raises
        ------
        NotFound
            Storage has it no longer.
        DataLoss
            The bytes that came are not those that were promised (HASH_MISMATCH).
        """
        path = self._folder / f"{member.sha256}.zip"
        if path.exists():
            os.utime(path)
            return path
        self._write(path, self._download(member), member)
        self._evict(path)
        return path

    def _write(self, path: Path, pieces: Iterable[bytes], member: MemberRecord) -> None:
        """Write a package, which gets its name only when it is whole and right."""
        partial = self._folder / f"{uuid.uuid4().hex}{_PARTIAL}"
        digest = hashlib.sha256()
        try:
            with partial.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != member.sha256:
                raise DataLoss(
                    Reason.HASH_MISMATCH,
                    f"The package of {member.learnware_id} came damaged.",
                    resource=member.learnware_id,
                )
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def _evict(self, newest: Path) -> None:
        packages = [(path.stat(), path) for path in self._folder.glob("*.zip")]
        total = sum(status.st_size for status, _ in packages)
        for status, path in sorted(packages, key=lambda entry: entry[0].st_mtime):
            if total <= self._max_bytes:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= status.st_size
