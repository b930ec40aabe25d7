"""The page of commands, written by typer from the command line's own help."""

from __future__ import annotations

from pathlib import Path
import subprocess
import sys

TYPER = Path(sys.executable).with_name("typer")


def commands_page() -> str:
    """The whole page."""
    command = [str(TYPER), "learndock.cli.main", "utils", "docs", "--name", "learndock", "--title", "Commands"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() + "\n"
