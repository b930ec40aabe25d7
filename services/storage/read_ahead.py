"""Reading the next pieces while the last one is worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

_DEPTH = 4


def read_ahead(pieces: Iterator[bytes]) -> Generator[bytes]:
    """The same pieces, read by a thread of its own, a few ahead of the caller."""
    reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    try:
        coming = deque(reader.submit(next, pieces, None) for _ in range(_DEPTH))
        while (piece := coming.popleft().result()) is not None:
            coming.append(reader.submit(next, pieces, None))
            yield piece
    finally:
        reader.shutdown(cancel_futures=True)
