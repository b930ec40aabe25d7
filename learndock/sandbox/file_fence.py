"""Landlock: a program that reaches no file beyond those named. For installers, which need the package index besides.

Runs as a script too, ``file_fence.py '{"read": [...], "write": [...], "gate": null}' command...``: fences itself in,
then becomes the command. Needs nothing but the standard library, and no right: the kernel lets every process give up
files for good. With a gate, the number of a descriptor, it gives up the network first (`closed_network`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import ctypes
import json
import os
from pathlib import Path
import resource
import runpy
import stat
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls, by the same number on every processor."""
ASK_VERSION, PATH_BENEATH = 1, 1
PR_SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REFER_VERSION, TRUNCATE_VERSION, DEVICES_VERSION, SCOPES_VERSION = 2, 3, 5, 6
_FIRST_RIGHTS, _REFER, _TRUNCATE, _DEVICES = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_ABSTRACT_SOCKETS_AND_SIGNALS = 3
READING = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _DEVICES

# Whoever waits for a prediction on this machine goes first.
_NICENESS = 10

_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Which Landlock the kernel has; 0 for none, or for one that cannot let files be linked, as uv does."""
    found = int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION))
    return found if found >= REFER_VERSION else 0


def fenced(
    command: Sequence[str], *, read: Iterable[Path], write: Iterable[Path], gate: int | None = None
) -> list[str]:
    """The command that fences itself in and then becomes `command`; files stay open where the kernel has no Landlock.

    Parameters
    ----------
    command
        What to run.
    read
        Files and folders that it may read and execute; those that do not exist are left out.
    write
        Folders and devices in which it may do anything but execute.
    gate
        Descriptor that it inherits, by which it hands out the way to its closed network; None to leave that open.
    """
    fence = {"read": sorted(map(str, read)), "write": sorted(map(str, write)), "gate": gate}
    return [sys.executable, "-I", "-S", "-B", __file__, json.dumps(fence), *command]


def _rights(version: int) -> int:
    added = ((REFER_VERSION, _REFER), (TRUNCATE_VERSION, _TRUNCATE), (DEVICES_VERSION, _DEVICES))
    return _FIRST_RIGHTS | sum(right for since, right in added if version >= since)


def _ruleset(version: int) -> int:
    attributes = struct.pack("=QQQ", _rights(version), 0, _ABSTRACT_SOCKETS_AND_SIGNALS)
    size = len(attributes) if version >= SCOPES_VERSION else 8
    return _called(CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        rights &= _OF_FILES
    _called(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    os.close(place)


def _called(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def _close_files(paths: dict[str, list[str]], present: int) -> None:
    ruleset = _ruleset(present)
    for path in paths["read"]:
        _allow(ruleset, path, READING)
    for path in paths["write"]:
        _allow(ruleset, path, _rights(present) & ~EXECUTE)
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no new privileges")
    _called(RESTRICT_SELF, ruleset, 0)


def main() -> None:
    """Give the network and all other files up, then run the command in this one's place."""
    fence, present, variables = json.loads(sys.argv[1]), version(), dict(os.environ)
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if fence["gate"] is not None:
        closed_network = runpy.run_path(os.path.join(os.path.dirname(__file__), "closed_network.py"))
        variables |= closed_network["enter"](fence["gate"])
    if present:
        _close_files(fence, present)
    os.execve(sys.argv[2], sys.argv[2:], variables)  # noqa: S606


if __name__ == "__main__":
    main()
