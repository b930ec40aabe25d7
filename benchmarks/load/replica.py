"""A search service in a process of its own, over generated learnwares: ``python -m benchmarks.load.replica``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading

import numpy as np

from benchmarks.search import ATOMS, DIMENSION, fill
from benchmarks.search_families import Families
from benchmarks.search_service import empty, served

_LISTEN = "127.0.0.1:0"


def main() -> None:
    """Fill an index, tell the address, and serve it until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    filled = empty(arguments.folder)
    families = Families.drawn(np.random.default_rng(0), dimension=DIMENSION, atoms=ATOMS)
    fill(filled, families, arguments.size)
    with served(filled, listen=_LISTEN) as address:
        print(address, flush=True)
        stopped.wait()


@contextmanager
def replica(size: int, folder: Path) -> Iterator[str]:
    """A search service of so many learnwares on one half of the processors, this process on the other; its address.

    Callers are other machines in life: what they compute must not be taken from the service.
    """
    processors = sorted(os.sched_getaffinity(0))
    half = (len(processors) + 1) // 2
    os.sched_setaffinity(0, processors[:half])
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.replica", str(size), str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        os.sched_setaffinity(0, processors[half:] or processors)
        yield _address_of(process)
    finally:
        os.sched_setaffinity(0, processors)
        process.terminate()
        process.wait()


def _address_of(process: subprocess.Popen[str]) -> str:
    """What it prints first; progress goes to stderr."""
    assert process.stdout is not None  # noqa: S101  # a pipe, by how it was started
    address = process.stdout.readline().strip()
    if not address:
        raise RuntimeError("the search service did not start")
    return address


if __name__ == "__main__":
    main()
