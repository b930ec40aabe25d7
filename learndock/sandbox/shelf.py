"""How much room environments and packages take: those not used for longest make room, those in use never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import os
from pathlib import Path
import shutil
import uuid

_DIGEST_LENGTH = 64


class Shelf:
    """Folders of a bounded size in all, shared by processes.

    A file beside each folder holds its size, tells by its time when it was used last, and carries a lock that all
    users share and whoever removes it has alone. Locks end with the process that holds them.

    Parameters
    ----------
    root
        Where the folders are.
    max_bytes
        Size of all together.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._uses = root / "uses"
        self._max_bytes = max_bytes

    def add(self, digest: str) -> None:
        """Take a new folder in, and let older ones go until all fit."""
        self._uses.mkdir(parents=True, exist_ok=True)
        (self._uses / digest).write_text(str(_size(self._root / digest)))
        self._make_room(digest)

    def note_use(self, digest: str) -> None:
        """It is used now."""
        self._uses.mkdir(parents=True, exist_ok=True)
        (self._uses / digest).touch()

    @contextmanager
    def in_use(self, digest: str) -> Iterator[int]:
        """Keep it, whether it is there yet or not, until the block ends.

        Longer where a process took over the lock's descriptor, which the block is given.
        """
        self.note_use(digest)
        with (self._uses / digest).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield file.fileno()
            self.note_use(digest)

    @contextmanager
    def alone(self, digest: str) -> Iterator[None]:
        """Nobody else makes it until the block ends."""
        folder = self._root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / digest).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make_room(self, newest: str) -> None:
        sizes = {name: self._size_of(name) for name in os.listdir(self._root) if len(name) == _DIGEST_LENGTH}
        total = sum(sizes.values())
        for name in sorted(sizes, key=self._last_use):
            if total <= self._max_bytes:
                return
            if name != newest and self._removed(name):
                total -= sizes[name]

    def _size_of(self, digest: str) -> int:
        try:
            return int((self._uses / digest).read_text())
        except (OSError, ValueError):
            return _size(self._root / digest)

    def _last_use(self, digest: str) -> float:
        path = self._uses / digest
        return path.stat().st_mtime if path.exists() else 0.0

    def _removed(self, digest: str) -> bool:
        with (self._uses / digest).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            leaving = self._root / f"draft-{uuid.uuid4().hex}"
            try:
                (self._root / digest).rename(leaving)
            except FileNotFoundError:
                return True
        shutil.rmtree(leaving, ignore_errors=True)
        return True


def _size(folder: Path) -> int:
    files = (os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names)
    return sum(_bytes_of(file) for file in files)


def _bytes_of(file: str) -> int:
    try:
        return os.lstat(file).st_size
    except FileNotFoundError:  # somebody else makes this folder just now, or takes it away
        return 0
