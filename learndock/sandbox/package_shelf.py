"""Packages kept in a folder under their SHA-256, of a bounded size in all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import hashlib
from pathlib import Path

from learndock.sandbox.shelf import Shelf

Fetch = Callable[[Path], object]
"""Writes a whole and verified package to a path."""

_NAME = "package.zip"


class PackageShelf:
    """Packages that several processes may share; those not used for longest go when all take too much.

    Parameters
    ----------
    root
        Folder of the packages, made when missing.
    max_bytes
        Size of all together. One in use stays whatever its size.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._shelf = Shelf(root, max_bytes)

    @contextmanager
    def held(self, sha256: str, fetch: Fetch) -> Iterator[Path]:
        """The package with this digest; it stays there until the block ends.

        Parameters
        ----------
        sha256
            Its digest, 64 hexadecimal digits.
        fetch
            Brings it when it is not there, or is damaged; what it raises is passed on. An interrupted one may leave
            files beside the path to go on with.
        """
        with self._shelf.in_use(sha256):
            path = self._root / sha256 / _NAME
            with self._shelf.alone(sha256):
                if not _is_whole(path, sha256):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    fetch(path)
                    self._shelf.add(sha256)
            yield path


def _is_whole(path: Path, sha256: str) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
