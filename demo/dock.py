"""A dock in a process of its own, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
import subprocess
import sys
import time

import learndock

_PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.1


@contextmanager
def running_dock(data_dir: Path) -> Iterator[learndock.Dock]:
    """Start a dock that keeps everything in `data_dir`, connect as its first admin, and end it afterwards.

    Raises
    ------
    RuntimeError
        The dock did not start.
    """
    command = [sys.executable, "-m", "services.allinone", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"]
    command += ["--console-listen", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        address = _address(process, data_dir / "address")
        token = (data_dir / "admin-token").read_text().strip()
        with learndock.Dock(address, token) as dock:
            yield dock
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], file: Path) -> str:
    end = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        if file.exists() and (address := file.read_text().strip()):
            return address
        time.sleep(_PAUSE_SECONDS)
    raise RuntimeError("The dock did not start; what it printed tells why.")
