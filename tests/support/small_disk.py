"""A file system of its own, so small that a test can fill it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil
import subprocess
import tempfile

import pytest

MIB = 2**20


class SmallDisk:
    """A mounted file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leave not a byte."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (MIB, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def make_room(self) -> None:
        """Take away what `fill` put there."""
        self._ballast.unlink()


@contextmanager
def small_disk(mib: int) -> Iterator[SmallDisk]:
    """A disk of so many MiB that all may enter; skips, and fails in CI, where none may be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="small-disk-", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    try:
        if mounted.returncode and os.environ.get("CI"):
            pytest.fail(f"CI must be able to mount a small disk: {mounted.stderr}", pytrace=False)
        if mounted.returncode:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
        yield SmallDisk(folder)
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)
