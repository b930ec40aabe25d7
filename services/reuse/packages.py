"""Packages at hand: fetched from storage once, verified, kept under their SHA-256."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
import hashlib
from pathlib import Path

from learndock.errors import DataLoss, Reason
from learndock.sandbox.package_shelf import PackageShelf
from services.reuse.record import MemberRecord

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
        self._download = download
        self._shelf = PackageShelf(folder, max_bytes)

    @contextmanager
    def held(self, member: MemberRecord) -> Iterator[Path]:
        """The member's package, from the folder or else from storage; it stays there until the block ends.

        Raises
        ------
        NotFound
            Storage has it no longer.
        DataLoss
            The bytes that came are not those that were promised (HASH_MISMATCH).
        """
        with self._shelf.held(member.sha256, lambda path: _write(path, self._download(member), member)) as path:
            yield path


def _write(path: Path, pieces: Iterable[bytes], member: MemberRecord) -> None:
    """Write a package, which gets its name only when it is whole and right."""
    partial = path.with_suffix(".part")
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
