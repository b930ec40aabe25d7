"""Turns: as many searches compute at a time as there is room for, some more wait, and the rest is refused at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import threading
import time

from threadpoolctl import threadpool_limits

from learndock.errors import Reason, ResourceExhausted
from learndock.serving import caller, telemetry

# Between two looks at whether somebody who waits is still being waited for, in seconds.
_LOOK = 0.5
# How much the latest search counts in the average of what a search takes.
_LATEST = 0.1


def compute_on_one_processor() -> None:
    """Hold BLAS and OpenMP to one thread each in this process, for good.

    Searches are short and run side by side, one on each processor: threads of their own would only wait for each other.
    """
    threadpool_limits(limits=1)


class Turns:
    """Turns at computing.

    Searches beyond the number of processors make each other slower, and one whose caller stops waiting first is work
    for nothing. So few compute at a time, and no more are let in than can be answered soon.

    Parameters
    ----------
    at_once
        Searches that compute at a time.
    inside
        Searches that are let in, those that wait included; fewer than the threads that serve calls, so that one is
        always free to refuse.
    """

    def __init__(self, at_once: int, inside: int) -> None:
        self._at_once = at_once
        self._most = max(at_once, inside)
        self._free = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._inside = 0
        self._seconds = 0.0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Be let in until the block ends.

        Raises
        ------
        ResourceExhausted
            Too many are inside (TOO_MANY_REQUESTS); tells when another try makes sense.
        """
        with self._lock:
            if self._inside >= self._most:
                telemetry.SEARCHES_REFUSED.inc()
                raise ResourceExhausted(
                    Reason.TOO_MANY_REQUESTS,
                    f"{self._inside} searches are at work; try again in a moment.",
                    retry_after=max(0.1, round(self._seconds * self._most / self._at_once, 3)),
                )
            self._inside += 1
        telemetry.SEARCHES_INSIDE.inc()
        try:
            yield
        finally:
            telemetry.SEARCHES_INSIDE.dec()
            with self._lock:
                self._inside -= 1

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends.

        Raises
        ------
        DeadlineExceeded, Cancelled
            Nobody waits for the answer any more.
        """
        caller.check_active()
        while not self._free.acquire(timeout=min(_LOOK, caller.remaining_seconds())):
            caller.check_active()
        began = time.monotonic()
        try:
            caller.check_active()
            yield
        finally:
            self._free.release()
            with self._lock:
                self._seconds += _LATEST * (time.monotonic() - began - self._seconds)
