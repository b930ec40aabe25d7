"""A search service on processors of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path

from benchmarks.search_replicas import replicas


@contextmanager
def replica(size: int, folder: Path) -> Iterator[str]:
    """A search service of so many learnwares on one half of the processors, this process on the other; its address.

    Callers are other machines in life: what they compute must not be taken from the service.
    """
    processors = sorted(os.sched_getaffinity(0))
    half = (len(processors) + 1) // 2
    os.sched_setaffinity(0, processors[:half])
    try:
        with replicas(1, size, folder) as address:
            os.sched_setaffinity(0, processors[half:] or processors)
            yield address
    finally:
        os.sched_setaffinity(0, processors)
