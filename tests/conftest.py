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
    if item.get_closest_marker("docker") and not _engine_answers():
        if os.environ.get("CI"):
            pytest.fail("no Docker engine answers, and CI must have one", pytrace=False)
        pytest.skip("no Docker engine answers")


@cache
def _engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
