"""The short way between host and guest on one kernel: two named pipes, and a file in which inputs lie.

Both are in a folder that the sandbox sees read-only. The host writes inputs to the file and never reads it, so that
nothing which the guest might do to it is ever believed; answers come through a pipe, as a stranger's word.
"""

from __future__ import annotations

from contextlib import suppress
import os
from pathlib import Path
import shutil
import threading

from learndock.sandbox.executor import MIB, Deadline, Mount, SandboxProcess
from learndock.sandbox.guest.framing import INPUTS, REPLIES, REQUESTS
from learndock.sandbox.streams import DuplexStream, widen

WIRE = "/sandbox/wire"
"""Where the sandbox sees the folder."""

LARGEST_INPUT = 16 * MIB
_SMALLEST_INPUT = 8 * 1024
_ALIGNMENT = 64


class Wire:
    """One sandbox's way, made before it starts.

    Parameters
    ----------
    folder
        Folder to be made; on the sandbox's own kernel.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True)  # closed to the machine's other users
        self._seen = folder / "seen"
        self._seen.mkdir()
        self._seen.chmod(0o755)
        requests, replies = self._seen / REQUESTS, self._seen / REPLIES
        for pipe in (requests, replies):
            os.mkfifo(pipe)
            pipe.chmod(0o666)  # for the sandbox's user
        # While the host holds the other ends too, a guest that has not come yet is not taken for one that has gone.
        self._held = [os.open(requests, os.O_RDWR), os.open(replies, os.O_RDWR)]
        self._lock = threading.Lock()
        reading = os.open(replies, os.O_RDONLY | os.O_NONBLOCK)
        writing = os.open(requests, os.O_WRONLY | os.O_NONBLOCK)
        for descriptor in (reading, writing):
            widen(descriptor)
        self._inputs = os.open(self._seen / INPUTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.fchmod(self._inputs, 0o644)
        self.stream = DuplexStream(writing, reading)

    @property
    def mount(self) -> Mount:
        """How the sandbox sees it."""
        return Mount(self._seen, WIRE)

    def place(self, body: bytes | memoryview, offset: int) -> int | None:
        """Put a value's bytes into the file.

        Parameters
        ----------
        body
            The bytes.
        offset
            End of what the same message has placed already.

        Returns
        -------
        int or None
            Where they begin; None where they had better go through the pipe.
        """
        begin = -(-offset // _ALIGNMENT) * _ALIGNMENT
        if not _SMALLEST_INPUT <= len(body) <= LARGEST_INPUT - begin:
            return None
        with self._lock:
            try:
                return begin if os.pwrite(self._inputs, body, begin) == len(body) else None
            except OSError:  # the disk is full, or it has been closed
                return None

    def follow(self, process: SandboxProcess) -> None:
        """Hang up once `process` has ended; one that speaks past the wire is ended."""
        threading.Thread(target=self._follow, args=(process,), name="sandbox-wire", daemon=True).start()

    def _follow(self, process: SandboxProcess) -> None:
        with suppress(OSError):
            if process.read(1, Deadline(None)):
                process.kill()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            while self._held:
                os.close(self._held.pop())

    def close(self) -> None:
        """Hang up and remove the folder, after the sandbox has ended; harmless when repeated."""
        self._hang_up()
        self.stream.close()
        with self._lock:
            if self._inputs >= 0:
                os.close(self._inputs)
                self._inputs = -1
        shutil.rmtree(self._folder, ignore_errors=True)
