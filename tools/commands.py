"""The page of commands, written by typer from the command line's own help."""

from __future__ import annotations

import subprocess
import sys

_TYPER = [sys.executable, "-m", "typer", "learndock.cli.main", "utils", "docs"]


def commands_page() -> str:
    """The whole page."""
    command = [*_TYPER, "--name", "learndock", "--title", "Commands"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + "\n"
