"""Turns: as many searches compute at a time as there are processors, and the others wait for theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
import os
import threading

import faiss
from threadpoolctl import threadpool_limits

from learndock.serving import caller, telemetry

# Between two looks at whether somebody who waits is still being waited for, in seconds.
_LOOK = 0.5


def compute_on_one_processor() -> None:
    """Hold BLAS to one thread in this process, for good.

    Searches are short and run side by side, one on each processor: threads of their own would only wait for each other.
    What OpenMP may use is told to each thread by itself, see `Turns.turn`.
    """
    threadpool_limits(limits=1)


def compute_undisturbed() -> None:
    """Let searches of this process finish their time slice when calls arrive (Linux's batch scheduling), for good.

    Under overload hundreds of calls a second come to be refused, and a search that is put off for each of them finds
    its caches cold. Threads inherit it: call this before they start.
    """
    with suppress(OSError):  # some sandboxes of whole containers know one policy only
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Turns:
    """Turns at computing.

    Searches beyond the number of processors make each other slower, and one whose caller stops waiting first is work
    for nothing. So few compute at a time, and the server lets no more in than can be answered soon.

    Parameters
    ----------
    at_once
        Searches that compute at a time.
    """

    def __init__(self, at_once: int) -> None:
        self._free = threading.BoundedSemaphore(at_once)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends.

        Raises
        ------
        DeadlineExceeded, Cancelled
            Nobody waits for the answer any more.
        """
        with telemetry.SEARCHES_INSIDE.track_inprogress():
            caller.check_active()
            while not self._free.acquire(timeout=min(_LOOK, caller.remaining_seconds())):
                caller.check_active()
            try:
                caller.check_active()
                # FAISS would keep a second processor busy with waiting, between its few microseconds of work.
                faiss.omp_set_num_threads(1)
                yield
            finally:
                self._free.release()
