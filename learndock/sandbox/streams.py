"""The streams of a sandbox on the host's side, where every wait has an end and every buffer a size."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
import fcntl
import os
import select
import threading
import time

from learndock.sandbox.executor import Deadline

TAIL_BYTES = 16 * 1024
_CHUNK = 64 * 1024
_PIPE_BYTES = 1024 * 1024
_LARGEST_READ = 1024 * 1024
_SLOW_PAUSE = 0.05
_SETTLING_SECONDS, _SETTLING_PAUSE = 0.5, 0.005


class DuplexStream:
    """Standard input and output of a sandbox by file descriptors, which it owns.

    Parameters
    ----------
    input_fd
        Written to; a pipe or socket that the sandbox reads.
    output_fd
        Read from.
    """

    def __init__(self, input_fd: int, output_fd: int) -> None:
        self._input, self._output = input_fd, output_fd
        self._closed = False
        self._writing, self._reading = threading.Lock(), threading.Lock()
        os.set_blocking(input_fd, False)
        os.set_blocking(output_fd, False)

    def write(self, data: bytes | memoryview, deadline: Deadline) -> None:
        """Write all of `data`."""
        rest = memoryview(data).cast("B")
        with self._writing:
            while rest:
                deadline.remaining()
                self._refuse_if_closed()
                try:
                    rest = rest[os.write(self._input, rest) :]
                except BlockingIOError:
                    wait_for(self._input, select.POLLOUT, deadline)

    def read(self, count: int, deadline: Deadline) -> bytes:
        """Read 1 to `count` bytes, none at the end."""
        with self._reading:
            while True:
                self._refuse_if_closed()
                wait_for(self._output, select.POLLIN, deadline)  # an answer is hardly ever there already
                with suppress(BlockingIOError):
                    return os.read(self._output, min(count, _LARGEST_READ))

    def close(self) -> None:
        """Close both once nobody uses them, which is soon after the other side has ended; harmless when repeated."""
        with self._writing, self._reading:
            if not self._closed:
                self._closed = True
                for descriptor in {self._input, self._output}:
                    os.close(descriptor)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise BrokenPipeError("The sandbox has ended.")


def widen(pipe: int) -> None:
    """Let a pipe hold a whole batch, so that its ends take turns less often, where that is allowed."""
    with suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def wait_for(descriptor: int, event: int, deadline: Deadline) -> None:
    """Wait until a descriptor is ready for `event` or hung up; TimeoutError at the deadline."""
    poll = select.poll()
    poll.register(descriptor, event)
    remaining = deadline.remaining()
    if not poll.poll(None if remaining is None else remaining * 1000 + 1):
        raise TimeoutError


class LogTail:
    """Keeps the end of what a sandbox prints.

    Whoever prints more than `full_speed_bytes` is read slowly from there on: a flood then waits in its own pipe
    instead of taking the host's time.
    """

    def __init__(self, full_speed_bytes: int) -> None:
        self._full_speed_bytes = full_speed_bytes
        self._total = 0
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self._followed: int | None = None

    def append(self, data: bytes) -> None:
        """Add what was printed; waits a moment when there was too much."""
        with self._lock:
            self._keep(data)
        self._slow_down()

    def _keep(self, data: bytes) -> None:
        self._total += len(data)
        self._kept.append(data[-TAIL_BYTES:])
        self._kept_bytes += len(self._kept[-1])
        while self._kept_bytes - len(self._kept[0]) >= TAIL_BYTES:
            self._kept_bytes -= len(self._kept.popleft())

    def _slow_down(self) -> None:
        if self._total > self._full_speed_bytes:
            time.sleep(_SLOW_PAUSE)

    def text(self) -> str:
        """The end of it, at most 16 KiB, with a note when there was more."""
        end = time.monotonic() + _SETTLING_SECONDS
        while self._is_behind() and time.monotonic() < end:
            time.sleep(_SETTLING_PAUSE)
        with self._lock:
            tail = b"".join(self._kept)[-TAIL_BYTES:].decode("utf-8", errors="replace")
            hidden = self._total - min(self._total, TAIL_BYTES)
        return f"[{hidden} bytes before this are not kept]\n{tail}" if hidden else tail

    def follow(self, descriptor: int) -> threading.Thread:
        """Read a descriptor to its end in a thread, then close it."""
        self._followed = descriptor
        thread = threading.Thread(target=self._drain, args=(descriptor,), name="sandbox-log", daemon=True)
        thread.start()
        return thread

    def _drain(self, descriptor: int) -> None:
        with open(descriptor, "rb", buffering=0) as file:
            going_on = True
            while going_on:
                wait_for(descriptor, select.POLLIN, Deadline(None))
                with self._lock:
                    data = file.read(_CHUNK)
                    self._keep(data)
                    going_on = bool(data)
                    self._followed = descriptor if going_on else None
                self._slow_down()

    def _is_behind(self) -> bool:
        """Whether something was printed that is not kept yet."""
        with self._lock:
            if self._followed is None:
                return False
            poll = select.poll()
            poll.register(self._followed, select.POLLIN)
            return bool(poll.poll(0))
