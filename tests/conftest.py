"""What holds for every test: one thread per numeric library, and loud words where a test cannot run."""

from __future__ import annotations

from functools import cache
import os
from pathlib import Path
import subprocess

import pytest

# Two OpenMP runtimes (torch's and FAISS's) in one process fight for the cores; set before either is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what cannot run here and say why; in CI a missing Docker engine is a failure."""
    if item.get_closest_marker("shared") and not SHARED_DATA.is_dir():
        pytest.skip(f"the evaluation data is not at {SHARED_DATA}")
    if item.get_closest_marker("docker") and not _runtimes():
        _miss("no Docker engine answers")
    if item.get_closest_marker("gvisor") and "runsc" not in _runtimes():
        _miss("no Docker engine knows gVisor's runtime (deploy/docker/gvisor-runtime.sh)")


def _miss(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI must have one", pytrace=False)
    pytest.skip(what)


@cache
def _runtimes() -> frozenset[str]:
    """Runtimes of the Docker engine, none where no engine answers."""
    command = ["docker", "info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}"]
    try:
        return frozenset(subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.split())
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return frozenset()
