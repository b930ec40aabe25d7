"""A whole dock in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
import signal
import subprocess
import sys
import time

ROOT = Path(__file__).parents[2]
# Installed requirements stay from one test, and one run, to the next.
ENVIRONMENTS = ROOT / "build" / "environments"
_START_SECONDS = 120
_STOP_SECONDS = 30


@dataclass(frozen=True)
class RunningDock:
    """An all-in-one dock.

    Attributes
    ----------
    address
        Where it serves.
    admin_token
        Token of the first superadmin.
    data_dir
        What it keeps.
    """

    address: str
    admin_token: str
    data_dir: Path

    @property
    def console_url(self) -> str:
        """Where its web pages are; empty without them."""
        return (self.data_dir / "console-address").read_text().strip()


@contextmanager
def running_dock(folder: Path, *, console_listen: str = "") -> Iterator[RunningDock]:
    """Start a dock that keeps its data under `folder`; end it when the block ends."""
    data_dir = folder / "dock"
    command = [sys.executable, "-m", "services.allinone", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"]
    command += ["--environments-dir", str(ENVIRONMENTS), "--console-listen", console_listen]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        _wait_ready(process)
        address = (data_dir / "address").read_text().strip()
        token = (data_dir / "admin-token").read_text().strip()
        yield RunningDock(address, token, data_dir)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(process: subprocess.Popen[str]) -> None:
    began = time.monotonic()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Stop it"):
            return
        if time.monotonic() - began > _START_SECONDS:
            break
    raise RuntimeError(f"The dock did not become ready (exit code {process.poll()}).")
