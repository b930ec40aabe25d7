"""What an operator does beside the service: ``python -m services.storage backup | restore | gc``.

It uses the service's own settings, so it is run where they are. A backup and a collection may be made while the service
runs; a restore fills a catalogue that is empty.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import timedelta
import json
import sys

from learndock.errors import LearndockError
from learndock.serving.sql import Database, migrate
from services.storage.backup import Backup, back_up, is_backup_name, restore
from services.storage.collection import Collection
from services.storage.config import Settings
from services.storage.wiring import MIGRATIONS, open_backups, open_blobs

COMMANDS = ("backup", "restore", "gc")


def main(arguments: list[str]) -> int:
    """Run one command; 0 when it succeeded."""
    parsed = _parser().parse_args(arguments)
    settings = Settings()
    try:
        migrate(settings.database, MIGRATIONS)
        database = Database(settings.database)
        try:
            {"backup": _backup, "restore": _restore, "gc": _gc}[parsed.command](parsed, settings, database)
        finally:
            database.close()
    except LearndockError as error:
        print(f"storage: {error.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.storage")
    commands = parser.add_subparsers(dest="command", required=True)
    backup = commands.add_parser("backup", help="copy catalogue and packages to a folder or bucket")
    backup.add_argument("place", help="folder, or s3://BUCKET/PREFIX, that holds the backups")
    backup.add_argument("--keep", type=int, default=7, help="newest backups that stay (default: 7)")
    restored = commands.add_parser("restore", help="fill an empty catalogue from a backup")
    restored.add_argument("place", help="a backup, or a place of backups for the newest of them")
    gc = commands.add_parser("gc", help="remove packages that belong to no version")
    gc.add_argument("--dry-run", action="store_true", help="only tell which")
    for command in (backup, restored, gc):
        command.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _backup(parsed: argparse.Namespace, settings: Settings, database: Database) -> None:
    made = back_up(database, open_blobs(settings), open_backups(settings, parsed.place), keep=max(1, parsed.keep))
    _tell(made, as_json=parsed.json)


def _restore(parsed: argparse.Namespace, settings: Settings, database: Database) -> None:
    before, _, name = parsed.place.rstrip("/").rpartition("/")
    place, name = (before or ".", name) if is_backup_name(name) else (parsed.place, "")
    _tell(restore(database, open_blobs(settings), open_backups(settings, place), name), as_json=parsed.json)


def _gc(parsed: argparse.Namespace, settings: Settings, database: Database) -> None:
    collection = Collection(database, open_blobs(settings), timedelta(hours=settings.orphan_hours))
    orphans = [blob for blob in collection.orphans() if parsed.dry_run or collection.remove(blob.sha256)]
    if parsed.json:
        print(json.dumps([asdict(blob) for blob in orphans]))
        return
    for blob in orphans:
        print(f"{blob.sha256} {blob.size_bytes}")


def _tell(backup: Backup, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(backup)))
    else:
        print(f"{backup.name}: {backup.rows} rows, {backup.packages} packages")
