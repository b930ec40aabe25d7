"""One thread for numeric work, so that the same input gives the same bytes on any machine size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits


class _SharedPin:
    """Pins the BLAS of the process to one thread while anybody needs it.

    The setting belongs to the process, while builds may overlap in a server: the first saves it, the last restores
    it. A plain context manager in each of them would restore in the wrong order.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limits: threadpool_limits | None = None

    def acquire(self) -> None:
        with self._lock:
            if self._users == 0:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._users += 1

    def release(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._limits is not None:
                self._limits.restore_original_limits()
                self._limits = None


_BLAS = _SharedPin()


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS and OpenMP to one thread; what was set before comes back afterwards."""
    _BLAS.acquire()
    try:
        with threadpool_limits(limits=1, user_api="openmp"):  # OpenMP keeps its setting per calling thread
            yield
    finally:
        _BLAS.release()
