"""A search service in a process of its own, over generated learnwares: ``python -m benchmarks.load.replica``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import signal
import subprocess
import sys
import threading

import numpy as np

from benchmarks.search import ATOMS, DIMENSION, fill
from benchmarks.search_families import Families
from benchmarks.search_service import empty, served

_READY = "ready"
_DRAIN_SECONDS = 30.0


def main() -> None:
    """Fill an index, serve it until SIGTERM, and drain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listen")
    parser.add_argument("size", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    filled = empty(arguments.folder)
    families = Families.drawn(np.random.default_rng(0), dimension=DIMENSION, atoms=ATOMS)
    fill(filled, families, np.random.default_rng(1), first=1, last=arguments.size)
    with served(filled, listen=arguments.listen, drain_seconds=_DRAIN_SECONDS):
        print(_READY, flush=True)
        stopped.wait()


class Replica:
    """A replica that can be started again at its address."""

    def __init__(self, listen: str, size: int, folder: Path) -> None:
        self.listen = listen
        self._size = size
        self._folder = folder
        self._starts = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._starts += 1
        folder = self._folder / str(self._starts)
        folder.mkdir(parents=True)
        command = [sys.executable, "-m", "benchmarks.load.replica", self.listen, str(self._size), str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101  # a pipe, by the line above
        for line in self._process.stdout:
            if line.strip() == _READY:
                return
        raise RuntimeError(f"the replica at {self.listen} did not start")

    def stop(self) -> None:
        """Let it end what it is at, and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


@contextmanager
def running(replica: Replica) -> Iterator[Replica]:
    """A started replica; it ends with the block."""
    replica.start()
    try:
        yield replica
    finally:
        replica.stop()


if __name__ == "__main__":
    main()
