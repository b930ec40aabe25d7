"""The examples run as they stand, against a dock."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys

import pytest

from tests.support.dock import ROOT, RunningDock, running_dock

SECONDS = 280


def run(dock: RunningDock | None, home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(home)}
    if dock is not None:
        environment |= {"LEARNDOCK_ADDRESS": dock.address, "LEARNDOCK_TOKEN": dock.admin_token}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.timeout(2 * SECONDS)
def test_the_client_and_the_stubs_tell_the_same_story(tmp_path: Path) -> None:
    with running_dock(tmp_path) as dock:
        client = run(dock, tmp_path, "examples/quickstart.py", "--keep", tmp_path / "wine")
        assert client.returncode == 0, client.stdout + client.stderr
        assert "Accuracy" in client.stdout

        again = run(dock, tmp_path, "examples/quickstart.py", "--keep", tmp_path / "again")
        assert again.returncode == 1
        assert "DUPLICATE_PACKAGE" in again.stderr

        stubs = run(dock, tmp_path, "examples/stubs_only.py", tmp_path / "wine/wine.zip", tmp_path / "wine/X.npy")
        assert stubs.returncode == 0, stubs.stdout + stubs.stderr
        assert "89 predictions" in stubs.stdout


def test_without_a_dock_the_example_fails_and_says_so(tmp_path: Path) -> None:
    alone = run(None, tmp_path, "examples/quickstart.py")
    assert alone.returncode != 0
