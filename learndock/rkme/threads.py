"""One thread for numeric work, so that the same input gives the same bytes on any machine size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from threadpoolctl import threadpool_limits
import torch

# BLAS has one setting for the process: if two saved and restored it at once, one would lose its pin, or leave it.
_TURN = RLock()
_PATIENCE_SECONDS = 0.5


@contextmanager
def one_thread(waiting: Callable[[], None]) -> Iterator[None]:
    """Hold BLAS, OpenMP and torch to one thread; what was set before comes back afterwards.

    Those who need it take turns. Threads that are started inside are held too.

    Parameters
    ----------
    waiting
        Called twice a second while it is another's turn; may raise to give up.
    """
    while not _TURN.acquire(timeout=_PATIENCE_SECONDS):
        waiting()
    try:
        with _torch_on_one_thread(), threadpool_limits(limits=1):
            yield
    finally:
        _TURN.release()


@contextmanager
def _torch_on_one_thread() -> Iterator[None]:
    # threadpoolctl does not see the BLAS inside torch, nor does it reach threads that torch has not yet set up.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
