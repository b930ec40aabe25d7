"""What visitors have under way: files that are kept for some hours and seen by nobody else."""

from __future__ import annotations

import hashlib
from pathlib import Path
import re
import secrets
import shutil
import threading
import time

from learndock.errors import NotFound, Reason

_ID = re.compile(r"[0-9a-f]{32}")
_SWEEP_SECONDS = 600.0


class Desk:
    """A folder per visitor; in it a folder per piece of work.

    Parameters
    ----------
    folder
        Where it lies.
    keep_seconds
        How long a piece of work stays after it was last touched.
    """

    def __init__(self, folder: Path, keep_seconds: float) -> None:
        self._folder = folder
        self._keep_seconds = keep_seconds
        self._swept = 0.0
        self._lock = threading.Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def new(self, owner: str, item_id: str = "") -> str:
        """Id of a new piece of work of a visitor; a given one is made unless it is there."""
        self._sweep()
        item_id = item_id or secrets.token_hex(16)
        self._path(owner, item_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        return item_id

    def folder_of(self, owner: str, item_id: str) -> Path:
        """Folder of a piece of work.

        Raises
        ------
        NotFound
            There is none of this visitor by this id, or it was cleared away.
        """
        path = self._path(owner, item_id)
        if not path.is_dir():
            raise _gone()
        path.touch()
        return path

    def clear(self, owner: str, item_id: str) -> None:
        """Take a piece of work away; doing so twice is no error."""
        shutil.rmtree(self._path(owner, item_id), ignore_errors=True)

    def _path(self, owner: str, item_id: str) -> Path:
        if not _ID.fullmatch(item_id):
            raise _gone()
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32] / item_id

    def _sweep(self) -> None:
        now = time.time()
        with self._lock:
            if now - self._swept < _SWEEP_SECONDS:
                return
            self._swept = now
        for item in self._folder.glob("*/*"):
            try:
                if now - item.stat().st_mtime > self._keep_seconds:
                    shutil.rmtree(item, ignore_errors=True)
            except FileNotFoundError:
                continue


def _gone() -> NotFound:
    return NotFound(Reason.RESOURCE_UNKNOWN, "This is no longer kept here; please give the file again.")
