"""What every executor starts inside of its sandbox before the command itself; see `learndock.sandbox.guest.confine`."""

from __future__ import annotations

from collections.abc import Sequence
import json
import math
from pathlib import Path

from learndock.sandbox.executor import GIB, Limits, Mount

USER = 65534
"""User and group of everything that runs in a sandbox: nobody."""

GUEST_MOUNT = Mount(Path(__file__).with_name("guest"), "/sandbox/guest")

ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108  # the sandbox's own
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "TMPDIR": "/tmp",  # noqa: S108
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    # One thread: predictable results and times, and neighbours are left alone.
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Nothing can be fetched, so that nothing should wait for it.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
"""All environment variables of a sandbox."""

# Libraries reserve address space that they never fill; what is really used is bounded by the executor.
_ADDRESS_SPACE_ALLOWANCE = 8 * GIB


def confined(
    command: Sequence[str], python: str, limits: Limits, *, without: frozenset[str] = frozenset()
) -> list[str]:
    """The command that confines itself inside the sandbox and then becomes `command`.

    Parameters
    ----------
    command
        What to run.
    python
        Path of Python inside the sandbox.
    limits
        What each process may use.
    without
        Limits of single processes that this kernel does not know, or that the executor holds in another way.
    """
    rlimits = {name: value for name, value in _rlimits(limits).items() if name not in without}
    settings = {"user": USER, "rlimits": rlimits, "niceness": _niceness(limits.cpu_weight)}
    return [python, "-I", "-S", "-B", f"{GUEST_MOUNT.target}/confine.py", json.dumps(settings), *command]


def _niceness(weight: float) -> int:
    """What the kernel weighs about the same: a step is a quarter more. It holds where there is no control group."""
    return min(19, max(0, round(-math.log(weight, 1.25))))


def _rlimits(limits: Limits) -> dict[str, int]:
    rlimits = {
        "AS": limits.memory_bytes + _ADDRESS_SPACE_ALLOWANCE,
        "DATA": limits.memory_bytes,
        "CORE": 0,
        "FSIZE": limits.tmp_bytes,
        "MEMLOCK": 0,
        "MSGQUEUE": 0,
        "NOFILE": limits.open_files,
        "NPROC": limits.pids,
    }
    if limits.cpu_seconds is not None:
        rlimits["CPU"] = limits.cpu_seconds
    return rlimits
