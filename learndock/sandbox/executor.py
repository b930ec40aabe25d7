"""The port through which strangers' code is run: what an executor promises, and the limits that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
import time
from typing import Protocol

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Limits:
    """What a sandbox may use.

    Attributes
    ----------
    memory_bytes
        Memory of all its processes together, without swap.
    wall_seconds
        Its whole life; then it is killed.
    cpus
        Processors that it may keep busy, where the executor can hold it to that.
    cpu_weight
        Its part of busy processors beside another sandbox that has 1.
    cpu_seconds
        Processor time of one process; None for no bound beside `wall_seconds`.
    pids
        Processes and threads.
    tmp_bytes
        Size of its `/tmp`, the only place that it can write to; no file can be larger.
    open_files
        Open files of one process.
    log_bytes
        What it may print at full speed; beyond that it is slowed down.
    """

    memory_bytes: int = 2 * GIB
    wall_seconds: float = 300.0
    cpus: float = 1.0
    cpu_weight: float = 1.0
    cpu_seconds: int | None = None
    pids: int = 128
    tmp_bytes: int = 256 * MIB
    open_files: int = 512
    log_bytes: int = MIB


@dataclass(frozen=True)
class Mount:
    """A folder of the host that a sandbox sees, always read-only."""

    source: Path
    target: str


class ExitCause(StrEnum):
    """Why a sandbox ended."""

    EXITED = "EXITED"
    """It ended by itself, well or not."""
    KILLED = "KILLED"
    """Its owner ended it."""
    DEADLINE = "DEADLINE"
    """It used up `Limits.wall_seconds`."""
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    """It used up `Limits.memory_bytes`."""


@dataclass(frozen=True)
class Exit:
    """How a sandbox ended: the status of its first process (128 + n for signal n) and the cause."""

    status: int
    cause: ExitCause


class Deadline:
    """A moment on the monotonic clock until which something must be done.

    Parameters
    ----------
    seconds
        From now on; None for no end.
    """

    def __init__(self, seconds: float | None) -> None:
        self._moment = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float | None:
        """Seconds that are left, None without an end.

        Raises
        ------
        TimeoutError
            The moment has passed.
        """
        if self._moment is None:
            return None
        left = self._moment - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class SandboxProcess(Protocol):
    """A running sandbox: started, killed or ended, waited for. `kill` and `wait` may be called at any time."""

    def write(self, data: bytes | memoryview, deadline: Deadline) -> None:
        """Write all of `data` to its standard input; TimeoutError, or BrokenPipeError when it no longer reads."""

    def read(self, count: int, deadline: Deadline) -> bytes:
        """Read 1 to `count` bytes of its standard output; empty at the end, TimeoutError at the deadline."""

    def log_tail(self) -> str:
        """Last 16 KiB of its standard error."""

    def weigh(self, cpu_weight: float) -> bool:
        """Give it another part of busy processors; whether that could be done."""

    def kill(self) -> None:
        """End it and everything that it started."""

    def wait(self, timeout: float | None = None) -> Exit:
        """How it ended; TimeoutError when it has not after `timeout` seconds. Frees what it held."""


class Executor(Protocol):
    """Starts sandboxes: no network, read-only root, bounded `/tmp`, user 65534, no capabilities, no new privileges."""

    @property
    def name(self) -> str:
        """Its name in reports and settings."""

    @property
    def python(self) -> str:
        """Path of the Python interpreter inside of its sandboxes."""

    @property
    def shares_kernel(self) -> bool:
        """Whether a named pipe in a mounted folder connects its sandboxes with this process."""

    def available(self) -> str | None:
        """None when sandboxes can be started, otherwise why not and what to do about it, in one sentence."""

    def start(self, command: Sequence[str], *, mounts: Sequence[Mount] = (), limits: Limits) -> SandboxProcess:
        """Start `command` in a new sandbox.

        Raises
        ------
        Unavailable
            The sandbox could not be started for a reason that may pass.
        """

    def sweep(self) -> int:
        """Remove sandboxes whose owner is dead or whose time is over; returns how many there were."""
