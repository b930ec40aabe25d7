"""The process that inspects strangers' packages, each in a child of its own with little memory and time.

It has the modules already, holds no secret, and forks: an inspection takes milliseconds, and what a package does to
its child ends with the child. `learndock.package.confined` starts it and speaks to it.
"""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path
import resource
import signal
import socket
import sys

from learndock.errors import LearndockError
from learndock.package.inspection import inspect_package
from learndock.package.record import dump_error, dump_inspection
from learndock.package.semantic import parse_semantic

MEMORY_BYTES = 2**30
CPU_SECONDS = 30

_FRAME_BYTES = 2**16


def main() -> None:
    """Take one end of a connection after the other from standard input, a socket; end when that is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave nothing to collect
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            _, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not descriptors:
                return
            with socket.socket(fileno=descriptors[0]) as connection:
                if os.fork() == 0:
                    control.close()
                    os.close(0)
                    _serve(connection)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side ends."""
    return b"".join(iter(lambda: connection.recv(_FRAME_BYTES), b""))


def _serve(connection: socket.socket) -> None:
    """Answer one request in this process, which ends here."""
    try:
        request = json.loads(read_all(connection))
        _limit(request["seconds"])
        connection.sendall(_answer(Path(request["path"]), request["semantic"].encode(), request["sha256"]))
    except (MemoryError, OSError):
        pass  # no answer: beyond the limits, or nobody waits for one any more
    except BaseException as error:  # told by name only; whatever it was must not go on as the parent would
        print(f"inspection failed: {type(error).__name__}", file=sys.stderr)
    finally:
        os._exit(0)


def _limit(seconds: float) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.setitimer(signal.ITIMER_REAL, seconds)  # the signal ends the process


def _answer(path: Path, semantic: bytes, sha256: str) -> bytes:
    try:
        return dump_inspection(inspect_package(path, parse_semantic(semantic) if semantic else None, sha256=sha256))
    except LearndockError as error:
        return dump_error(error)
