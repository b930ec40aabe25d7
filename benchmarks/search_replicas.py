"""Search services in processes of their own, over generated learnwares: ``python -m benchmarks.search_replicas``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import signal
import subprocess
import sys
import threading

from benchmarks.search_service import drawn, empty, fill, served

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
    fill(filled, drawn(), arguments.size)
    with served(filled, listen=_LISTEN) as address:
        print(address, flush=True)
        stopped.wait()


@contextmanager
def replicas(count: int, size: int, folder: Path) -> Iterator[str]:
    """So many search services of `size` learnwares each; what gRPC resolves to all of them."""
    command = [sys.executable, "-m", "benchmarks.search_replicas", str(size)]
    processes = [
        subprocess.Popen([*command, str(folder / str(number))], stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    try:
        yield "ipv4:" + ",".join(_address_of(process) for process in processes)
    finally:
        for process in processes:
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
