"""Commands for the packages and the catalogue of a dock on this machine: backup, restore, gc."""

from __future__ import annotations

import os
from pathlib import Path
import subprocess
import sys
from typing import Annotated

import typer

from learndock.cli.failures import ExitCode
from learndock.cli.options import Json

DataDir = Annotated[Path, typer.Option(help="Folder of the dock, as given to `learndock up`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock backup ~/backups --data-dir ~/dock")(backup)
    app.command(epilog="Example: learndock restore ~/backups --data-dir ~/new-dock")(restore)
    app.command(epilog="Example: learndock gc --dry-run --data-dir ~/dock")(gc)


def backup(
    place: Annotated[str, typer.Argument(help="Folder, or s3://BUCKET/PREFIX, that holds the backups.")],
    *,
    data_dir: DataDir = Path("dock"),
    keep: Annotated[int, typer.Option(min=1, help="Newest backups that stay.")] = 7,
    json: Json = False,
) -> None:
    """Copy learnwares and packages of a dock on this machine, also while it runs; accounts are not part of it."""
    _run(data_dir, "backup", place, "--keep", str(keep), json=json)


def restore(
    place: Annotated[str, typer.Argument(help="A backup, or a place of backups for the newest of them.")],
    *,
    data_dir: DataDir = Path("dock"),
    json: Json = False,
) -> None:
    """Fill a dock on this machine that holds no learnware yet; do it before you start it."""
    _run(data_dir, "restore", place, json=json)


def gc(
    *,
    data_dir: DataDir = Path("dock"),
    dry_run: Annotated[bool, typer.Option(help="Only tell which.")] = False,
    json: Json = False,
) -> None:
    """Remove packages of a dock on this machine that belong to no version any more; told by SHA-256 and size."""
    _run(data_dir, "gc", *(["--dry-run"] if dry_run else []), json=json)


def _run(data_dir: Path, *arguments: str, json: bool) -> None:
    environment = {**os.environ, "LEARNDOCK_STORAGE_DATA_DIR": str((data_dir / "storage").resolve())}
    command = [sys.executable, "-m", "services.storage", *arguments, *(["--json"] if json else [])]
    if subprocess.run(command, env=environment, check=False).returncode:  # noqa: S603  # our own module
        raise typer.Exit(ExitCode.REFUSED)
