"""Environments in which models run: resolved to a lock, installed from wheels only, kept by content and shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
import fcntl
import hashlib
import os
from pathlib import Path
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

from learndock.errors import InvalidInput, Reason, Unavailable
from learndock.package.requirements import Requirements
from learndock.sandbox.pip_settings import uv_options, uv_variables

DEFAULT_CONSTRAINTS = ("torch==2.13.0",)
"""An open `torch` would bring gigabytes of another version with it."""

ALWAYS = ("numpy",)
"""What the guest itself needs."""

PYTHON_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"

_RESOLUTION_AGE = 24 * 3600.0
_TOOL_SECONDS = 900
_COMMON = ("--no-config", "--color", "never", "--python", sys.executable, "--only-binary", ":all:")

Progress = Callable[[str], None]


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
    """

    path: Path
    lock: tuple[str, ...]
    digest: str


class EnvironmentCache:
    """Makes environments and keeps them; several processes may share one.

    Parameters
    ----------
    root
        Folder of the environments, made when missing.
    constraints
        Bounds on versions, in pip's words, that hold whatever a package asks for.
    """

    def __init__(self, root: Path, *, constraints: Sequence[str] = DEFAULT_CONSTRAINTS) -> None:
        self._root = root.resolve()
        self._constraints = tuple(constraints)
        self._tool = _Uv(self._root)

    def ensure(self, requirements: Requirements, progress: Progress | None = None) -> Environment:
        """The environment that meets `requirements`, made if there is none yet.

        Parameters
        ----------
        requirements
            Of a package.
        progress
            Told in a few words what takes long.

        Raises
        ------
        InvalidInput
            UNSUPPORTED_DEPENDENCY: no wheels for this Python and platform meet the requirements.
        Unavailable
            The package index cannot be reached, or takes too long.
        """
        report = progress or (lambda _: None)
        lines = tuple(dict.fromkeys((*requirements.lines, *ALWAYS)))
        lock = self._resolved(lines, report)
        digest = _digest(*lock, PYTHON_TAG, platform.machine(), sys.platform)
        path = self._root / digest
        if not path.exists():
            report(f"installing {len(lock)} packages")
            with self._locked(digest):
                if not path.exists():
                    self._install(lock, path)
        return Environment(path, lock, digest)

    def _resolved(self, lines: tuple[str, ...], report: Progress) -> tuple[str, ...]:
        key = _digest(*lines, "constraints", *self._constraints, PYTHON_TAG, platform.machine())
        kept = self._root / "resolutions" / f"{key}.txt"
        if kept.exists() and time.time() - kept.stat().st_mtime < _RESOLUTION_AGE:
            return tuple(kept.read_text().splitlines())
        report("resolving requirements")
        lock = self._tool.resolve(lines, self._constraints)
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{uuid.uuid4().hex}")
        draft.write_text("\n".join(lock) + "\n")
        draft.replace(kept)
        return lock

    def _install(self, lock: tuple[str, ...], path: Path) -> None:
        draft = self._root / f"draft-{uuid.uuid4().hex}"
        try:
            self._tool.install(lock, draft)
            draft.rename(path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        folder = self._root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / digest).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class _Uv:
    """The installer: reaches the package index and runs nothing of what it installs."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def resolve(self, lines: Sequence[str], constraints: Sequence[str]) -> tuple[str, ...]:
        """All packages that meet `lines`, as `name==version`."""
        outcome = self._compile(lines, constraints)
        if outcome.returncode == 0:
            return tuple(line for line in outcome.stdout.splitlines() if "==" in line)
        if "No solution found" not in outcome.stderr and "not found in the package registry" not in outcome.stderr:
            raise _unreachable(outcome.stderr)
        raise self._refusal(lines, constraints, outcome.stderr)

    def install(self, lock: Sequence[str], target: Path) -> None:
        """Install exactly `lock` into a new folder that everybody may read."""
        with self._file(lock) as file:
            options = ("--target", str(target), "--no-deps", "--compile-bytecode", "--requirements", file)
            outcome = self._run("install", *options)
        if outcome.returncode != 0:
            raise _unreachable(outcome.stderr)

    def _compile(self, lines: Sequence[str], constraints: Sequence[str]) -> subprocess.CompletedProcess[str]:
        with self._file(lines) as wanted, self._file(constraints) as bounds:
            return self._run("compile", "--quiet", "--no-header", "--no-annotate", "--constraints", bounds, wanted)

    def _refusal(self, lines: Sequence[str], constraints: Sequence[str], told: str) -> InvalidInput:
        """Says which line is at fault, and what exists instead."""
        for line in lines:
            if self._compile([line], constraints).returncode == 0:
                continue
            name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
            newest = self._compile([name], constraints).stdout.splitlines()
            found = next((entry for entry in newest if entry.lower().startswith(name.lower() + "==")), None)
            exists = f"the newest that fits is {found}" if found else f"no wheel of {name} exists for it"
            return _unsupported(f"{line!r} cannot be had for {PYTHON_TAG} on {platform.machine()}: {exists}.")
        return _unsupported(f"The requirements contradict each other: {' '.join(told.split())[:600]}")

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **uv_variables(os.environ)}
        try:
            return subprocess.run(  # noqa: S603
                [_program(), "pip", arguments[0], *_COMMON, *uv_options(environment), *arguments[1:]],
                env=environment,
                umask=0o022,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TOOL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _unreachable(f"nothing came within {_TOOL_SECONDS} s") from None

    @contextmanager
    def _file(self, lines: Sequence[str]) -> Iterator[str]:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=self._scratch) as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            yield file.name


def _program() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _unsupported(message: str) -> InvalidInput:
    return InvalidInput(Reason.UNSUPPORTED_DEPENDENCY, message, field="requirements")


def _unreachable(told: str) -> Unavailable:
    last = " ".join(told.split())[-400:]
    return Unavailable(Reason.SERVICE_UNAVAILABLE, f"Packages cannot be installed for now: {last}", retry_after=60.0)
