"""uv, as environments need it: resolves requirements and installs wheels; runs nothing of what it installs.

It reaches the package index, its own cache and the folder that it fills; beyond the system's programs it reads no file
of the machine and no other host, so that neither a requirement nor a wheel can make it tell or change anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
import os
from pathlib import Path
import platform
import re
import subprocess
import sys
import tempfile
import time

from learndock.errors import InvalidInput, Reason, Unavailable
from learndock.sandbox.file_fence import fenced
from learndock.sandbox.index_gate import IndexGate
from learndock.sandbox.index_hosts import MORE_HOSTS_VARIABLE, index_hosts
from learndock.sandbox.installer_files import readable, writable
from learndock.sandbox.pip_settings import uv_options, uv_variables

PYTHON_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"

_SECONDS = 900.0
_LOOK_SECONDS = 0.2
_COMMON = ("--no-config", "--color", "never", "--python", sys.executable, "--only-binary", ":all:")
# What an installer may know of the operator's environment: where things are, and how the index is reached.
_KNOWN = re.compile(r"UV_\w+|PATH|HOME|TMPDIR|XDG_\w+|LANG|LC_\w+|SSL_CERT_\w+|(?i:https?_proxy|all_proxy|no_proxy)")

Alive = Callable[[], None]
"""Called again and again while something lasts; raises to stop it."""


class Installer:
    """Reaches the package index, and nothing else.

    Parameters
    ----------
    scratch
        Folder for short-lived files, made when missing.
    constraints
        Bounds on versions, in pip's words, that hold whatever is asked for.
    """

    def __init__(self, scratch: Path, constraints: Sequence[str]) -> None:
        self._scratch = scratch
        self._constraints = tuple(constraints)

    def resolve(self, lines: Sequence[str], alive: Alive) -> tuple[str, ...]:
        """All packages that meet `lines`, as `name==version`.

        Raises
        ------
        InvalidInput
            UNSUPPORTED_DEPENDENCY: there are none; the message names the line at fault and what exists.
        Unavailable
            The package index cannot be reached, or takes too long.
        """
        outcome = self._compile(lines, alive)
        if outcome.returncode == 0:
            return _pins(outcome.stdout)
        if "No solution found" not in outcome.stderr and "not found in the package registry" not in outcome.stderr:
            raise unreachable(outcome.stderr)
        at_fault = self.unavailable(lines, alive)
        if at_fault:
            raise self._refusal(at_fault[0], alive)
        raise _unsupported(f"The requirements contradict each other: {' '.join(outcome.stderr.split())[:600]}")

    def unavailable(self, lines: Sequence[str], alive: Alive) -> list[str]:
        """Those of `lines` that cannot be met even alone."""
        return [line for line in lines if self._compile([line], alive).returncode != 0]

    def first(self, candidates: Sequence[tuple[str, str]], alive: Alive) -> str | None:
        """What the first candidate that can be met resolves to; each is a line and uv's resolution strategy."""
        for line, strategy in candidates:
            outcome = self._compile([line], alive, "--resolution", strategy)
            found = _pin_of(line, outcome.stdout) if outcome.returncode == 0 else None
            if found:
                return found
        return None

    def install(self, lock: Sequence[str], target: Path, alive: Alive) -> None:
        """Install exactly `lock` into a new folder that everybody may read; Unavailable as of `resolve`."""
        target.mkdir(mode=0o755, parents=True)
        with self._files(lock) as (folder, file):
            options = ("--target", str(target), "--no-deps", "--requirements", file)
            outcome = self._run(alive, (folder, target), "install", *options)
        if outcome.returncode != 0:
            raise unreachable(outcome.stderr)

    def _compile(self, lines: Sequence[str], alive: Alive, *options: str) -> subprocess.CompletedProcess[str]:
        with self._files(lines, self._constraints) as (folder, wanted, bounds):
            quiet = ("--quiet", "--no-header", "--no-annotate")
            return self._run(alive, (folder,), "compile", *quiet, *options, "--constraints", bounds, wanted)

    def _refusal(self, line: str, alive: Alive) -> InvalidInput:
        """Says which line is at fault, and what exists instead."""
        name = name_of(line)
        found = self.first([(name, "highest")], alive)
        exists = f"the newest that fits is {found}" if found else f"no wheel of {name} exists for it"
        return _unsupported(f"{line!r} cannot be had for {PYTHON_TAG} on {platform.machine()}: {exists}.")

    def _run(self, alive: Alive, own: tuple[str | Path, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run uv, which may write to the folders `own`, the first one being its working folder."""
        variables = {**os.environ, **uv_variables(os.environ)}
        program = _program()
        command = [program, "pip", arguments[0], *_COMMON, *uv_options(variables), *arguments[1:]]
        with IndexGate(index_hosts(variables)) as gate:
            outcome = _run_fenced(
                fenced(
                    command,
                    read=readable(variables, program),
                    write=[*writable(variables), *map(Path, own)],
                    gate=gate.outside,
                ),
                {**{name: value for name, value in variables.items() if _KNOWN.fullmatch(name)}, "TMPDIR": str(own[0])},
                Path(own[0]),
                gate,
                alive,
            )
        return _explained(outcome, gate)

    @contextmanager
    def _files(self, *contents: Sequence[str]) -> Iterator[list[str]]:
        """A folder of its own, and in it a file for each of `contents`."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="installer-") as folder:
            files = [os.path.join(folder, f"{number}.txt") for number in range(len(contents))]
            for path, lines in zip(files, contents, strict=True):
                Path(path).write_text("\n".join(lines) + "\n")
            yield [folder, *files]


def _run_fenced(
    command: Sequence[str], variables: Mapping[str, str], folder: Path, gate: IndexGate, alive: Alive
) -> subprocess.CompletedProcess[str]:
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=folder,
        env=variables,
        umask=0o022,
        pass_fds=(gate.outside,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        gate.started()
        try:
            return _followed(process, alive)
        except BaseException:
            process.kill()
            raise


def _explained(outcome: subprocess.CompletedProcess[str], gate: IndexGate) -> subprocess.CompletedProcess[str]:
    """The outcome, and who was asked for in vain."""
    if outcome.returncode != 0 and gate.refused:
        hosts = " ".join(sorted(gate.refused))
        outcome.stderr += (
            f"\nNot a host of the package index: {hosts}; the operator may name it in {MORE_HOSTS_VARIABLE}."
        )
    return outcome


def _followed(process: subprocess.Popen[str], alive: Alive) -> subprocess.CompletedProcess[str]:
    """The outcome of `process`, asking `alive` meanwhile."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        try:
            output, told = process.communicate(timeout=_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            alive()
            continue
        return subprocess.CompletedProcess(process.args, process.returncode, output, told)
    raise unreachable(f"nothing came within {_SECONDS:.0f} s")


def name_of(line: str) -> str:
    """Name of the package that a requirement is about."""
    return re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]


def unreachable(told: str) -> Unavailable:
    """The index cannot be reached; `told` says why."""
    last = " ".join(told.split())[-400:]
    return Unavailable(Reason.SERVICE_UNAVAILABLE, f"Packages cannot be installed for now: {last}", retry_after=60.0)


def _pins(output: str) -> tuple[str, ...]:
    return tuple(line for line in output.splitlines() if "==" in line)


def _pin_of(line: str, output: str) -> str | None:
    name = re.sub(r"[-_.]+", "-", name_of(line)).lower()
    return next((pin for pin in _pins(output) if re.sub(r"[-_.]+", "-", name_of(pin)).lower() == name), None)


def _program() -> str:
    from uv import find_uv_bin

    return find_uv_bin()


def _unsupported(message: str) -> InvalidInput:
    return InvalidInput(Reason.UNSUPPORTED_DEPENDENCY, message, field="requirements")
