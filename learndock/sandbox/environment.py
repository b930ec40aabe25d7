"""Environments in which models run: resolved to a lock, installed from wheels only, kept by content and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
from pathlib import Path
import platform
import shutil
import sys
import time
import uuid

from learndock.package.requirements import Requirements
from learndock.sandbox.bytecode import compile_later
from learndock.sandbox.installer import PYTHON_TAG, Alive, Installer
from learndock.sandbox.pins import PinPolicy, resolve
from learndock.sandbox.shelf import Shelf

DEFAULT_CONSTRAINTS = ("torch==2.13.0",)
"""An open `torch` would bring gigabytes of another version with it."""

DEFAULT_MAX_BYTES = 50 * 2**30

ALWAYS = ("numpy",)
"""What the guest itself needs."""

_RESOLUTION_AGE = 24 * 3600.0
_RELAXED = "# relaxed: "

Progress = Callable[[str], None]
"""Told in a few words what takes long, again while it lasts; raises to stop it."""


@dataclass(frozen=True)
class Environment:
    """Installed packages in one folder, for the path of a Python of this version.

    Attributes
    ----------
    path
        The folder.
    lock
        What is in it, as `name==version`.
    digest
        SHA-256 of lock, Python and platform; the folder's name.
    relaxed
        Requirements that could not be met, each as `asked for -> taken`.
    """

    path: Path
    lock: tuple[str, ...]
    digest: str
    relaxed: tuple[str, ...] = ()


class EnvironmentCache:
    """Makes environments and keeps them; several processes may share one.

    Parameters
    ----------
    root
        Folder of the environments, made when missing.
    constraints
        Bounds on versions, in pip's words, that hold whatever a package asks for.
    max_bytes
        Size of all environments, beyond which those not used for longest go; never one that is in use.
    pins
        What becomes of requirements that cannot be met.
    """

    def __init__(
        self,
        root: Path,
        *,
        constraints: Sequence[str] = DEFAULT_CONSTRAINTS,
        max_bytes: int = DEFAULT_MAX_BYTES,
        pins: PinPolicy = PinPolicy.KEEP_PINS,
    ) -> None:
        self._root = root.resolve()
        self._constraints = tuple(constraints)
        self._pins = pins
        self._installer = Installer(self._root, self._constraints)
        self._shelf = Shelf(self._root, max_bytes)

    def ensure(self, requirements: Requirements, progress: Progress | None = None) -> Environment:
        """The environment that meets `requirements`, made if there is none yet.

        Parameters
        ----------
        requirements
            Of a package.
        progress
            Follows it.

        Raises
        ------
        InvalidInput
            UNSUPPORTED_DEPENDENCY: no wheels for this Python and platform meet the requirements.
        Unavailable
            The package index cannot be reached, or takes too long.
        """
        report = progress or (lambda _: None)
        lines = tuple(dict.fromkeys((*requirements.lines, *ALWAYS)))
        lock, relaxed = self._resolved(lines, report)
        digest = _digest(*lock, PYTHON_TAG, platform.machine(), sys.platform)
        path = self._root / digest
        if not path.exists():
            with self._shelf.alone(digest):
                if not path.exists():
                    self._install(lock, path, lambda: report(f"installing {len(lock)} packages"))
                    self._shelf.add(digest)
            with self._shelf.in_use(digest) as kept:
                compile_later(path, kept)
        self._shelf.note_use(digest)
        return Environment(path, lock, digest, relaxed)

    @contextmanager
    def held(self, requirements: Requirements, progress: Progress | None = None) -> Iterator[Environment]:
        """As `ensure`; the environment is in use, and stays, until the block ends."""
        while True:
            environment = self.ensure(requirements, progress)
            with self._shelf.in_use(environment.digest):
                if environment.path.exists():  # otherwise it went in this very moment
                    yield environment
                    return

    def _resolved(self, lines: tuple[str, ...], report: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
        key = _digest(*lines, "constraints", *self._constraints, self._pins, PYTHON_TAG, platform.machine())
        kept = self._root / "resolutions" / f"{key}.txt"
        if kept.exists() and time.time() - kept.stat().st_mtime < _RESOLUTION_AGE:
            said = kept.read_text().splitlines()
            notes = (line.removeprefix(_RELAXED) for line in said if line.startswith(_RELAXED))
            return tuple(line for line in said if not line.startswith("#")), tuple(notes)
        report("resolving requirements")
        lock, relaxed = resolve(lines, self._installer, self._pins, lambda: report("resolving requirements"))
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{uuid.uuid4().hex}")
        draft.write_text("\n".join((*(_RELAXED + note for note in relaxed), *lock)) + "\n")
        draft.replace(kept)
        return lock, relaxed

    def _install(self, lock: tuple[str, ...], path: Path, alive: Alive) -> None:
        alive()
        draft = self._root / f"draft-{uuid.uuid4().hex}"
        try:
            self._installer.install(lock, draft, alive)
            draft.rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
