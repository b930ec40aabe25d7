"""Inspecting a stranger's package in a short-lived process that has little memory and time."""

from __future__ import annotations

import json
import os
from pathlib import Path
import socket
import subprocess
import sys
import threading

from learndock.errors import InvalidInput, Reason
from learndock.learnware import SemanticSpecification
from learndock.package.inspection import Inspection
from learndock.package.inspector import read_all
from learndock.package.record import load_inspection
from learndock.package.semantic import check_semantic, semantic_json

WALL_SECONDS = 90

_ROOT = Path(__file__).parents[2]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from learndock.package import inspector; inspector.main()"


def inspect_confined(path: Path, semantic: SemanticSpecification | None = None, *, sha256: str = "") -> Inspection:
    """What `inspect_package` answers, found in a process that holds no secret and is killed at its limits.

    Raises
    ------
    LearndockError
        As `inspect_package` does; also InvalidInput (PACKAGE_INVALID) for a package that takes more than 1 GiB of
        memory or 30 s of processor time to inspect.
    """
    if semantic is not None:
        check_semantic(semantic)
    request = {
        "path": str(path.resolve()),
        "semantic": semantic_json(semantic).decode() if semantic else "",
        "sha256": sha256,
        "seconds": WALL_SECONDS,
    }
    answer = _ask(json.dumps(request).encode())
    if not answer:
        raise InvalidInput(
            Reason.PACKAGE_INVALID, "The package cannot be inspected within the dock's limits.", field="package"
        )
    return load_inspection(answer)


def _ask(request: bytes) -> bytes:
    """The answer of a new child of the inspector; empty when it died."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            _inspector.hand_over(theirs)
        ours.settimeout(WALL_SECONDS + 5)
        try:
            ours.sendall(request)
            ours.shutdown(socket.SHUT_WR)
            return read_all(ours)
        except OSError:
            return b""


class _Inspector:
    """The inspecting process; started when it is first needed, and again should it have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def hand_over(self, connection: socket.socket) -> None:
        """Give it one end of a connection."""
        with self._lock:
            if self._control is not None and self._owner == os.getpid():  # a fork of us starts its own
                try:
                    socket.send_fds(self._control, [b"\0"], [connection.fileno()])
                except OSError:
                    self._control.close()
                else:
                    return
            self._control, self._process = _start()
            self._owner = os.getpid()
            socket.send_fds(self._control, [b"\0"], [connection.fileno()])


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-I", "-c", _START, str(_ROOT)],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            cwd="/",
        )
    return ours, process


_inspector = _Inspector()
