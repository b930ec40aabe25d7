"""A copy of the catalogue and of every package it refers to, from which a service can be built anew.

A backup is a folder: `catalogue.jsonl.gz` with the rows of every table as of one moment, the packages by their digest,
and `backup.json`, which is written last: a folder without it is no backup. Packages are read after the catalogue, so
that every package of its versions was there; those of former backups in the same place are not copied again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
import gzip
import json
import os
from pathlib import Path
import shutil
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from learndock.errors import FailedPrecondition, InvalidInput, Reason
from learndock.serving.sql import Database, now
from services.storage.blobs import BlobStore, FolderBlobs
from services.storage.models import SegmentRow, Table, UploadRow, VersionRow

_FORMAT = 1
_CATALOGUE = "catalogue.jsonl.gz"
_SEAL = "backup.json"
_PACKAGES = "packages"
_ROWS_AT_A_TIME = 500
# Bytes on their way in are not part of it: their senders send them again.
_LEFT_OUT = {UploadRow.__tablename__, SegmentRow.__tablename__}


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes
    ----------
    name
        Its folder's name, which tells the time.
    rows
        Rows of all tables.
    packages
        Different packages.
    """

    name: str
    rows: int
    packages: int


def back_up(database: Database, blobs: BlobStore, folder: Path, *, keep: int) -> Backup:
    """Make a backup in a new folder beside the former ones, of which the newest `keep` in all stay.

    Raises
    ------
    DataLoss
        HASH_MISMATCH: a package is damaged; there is no backup then.
    """
    name = now().strftime("%Y%m%dT%H%M%S.%fZ")
    aside = folder / f"{name}.partial"
    aside.mkdir(parents=True)
    packages = FolderBlobs(folder / _PACKAGES)
    with database.read() as session:
        rows = _dump(session, aside / _CATALOGUE)
        referred = set(session.scalars(select(VersionRow.sha256)))
    for sha256 in sorted(referred):
        _copy(blobs, packages, sha256, aside / "package")
    seal = {"format": _FORMAT, "rows": rows, "packages": sorted(referred)}
    (aside / _SEAL).write_text(json.dumps(seal))
    aside.rename(folder / name)
    _forget_old(folder, packages, keep)
    return Backup(name, rows, len(referred))


def restore(database: Database, blobs: BlobStore, folder: Path, *, scratch: Path) -> Backup:
    """Fill an empty catalogue, and the store of packages, from a backup's folder.

    Raises
    ------
    InvalidInput
        The folder is no backup.
    FailedPrecondition
        The catalogue is not empty.
    DataLoss
        HASH_MISMATCH: a package of the backup is damaged; the catalogue stays empty.
    """
    seal = _sealed(folder)
    packages = FolderBlobs(folder.parent / _PACKAGES)
    scratch.mkdir(parents=True, exist_ok=True)
    for sha256 in seal["packages"]:
        _copy(packages, blobs, sha256, scratch / "package")
    with database.write() as session:
        _check_empty(session)
        rows = _load(session, folder / _CATALOGUE)
    return Backup(folder.name, rows, len(seal["packages"]))


def list_backups(folder: Path) -> list[Path]:
    """Folders of the backups in a place, oldest first."""
    return sorted(path.parent for path in folder.glob(f"*Z/{_SEAL}"))


def _sealed(folder: Path) -> dict[str, Any]:
    try:
        seal = json.loads((folder / _SEAL).read_text())
    except (OSError, ValueError):
        raise InvalidInput(Reason.FIELD_INVALID, f"{folder} is not a backup.", field="backup") from None
    if seal.get("format") != _FORMAT:
        raise InvalidInput(Reason.FIELD_INVALID, f"{folder} is a backup of another release.", field="backup")
    return dict(seal)


def _copy(source: BlobStore, target: BlobStore, sha256: str, aside: Path) -> None:
    if target.stat(sha256) is not None:
        return
    with aside.open("wb") as file:
        for piece in source.chunks(sha256):
            file.write(piece)
    with aside.open("rb") as file:
        target.put(file, aside.stat().st_size, sha256)
    aside.unlink()


def _dump(session: Session, path: Path) -> int:
    count = 0
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for table in _tables():
            for row in session.execute(select(table).execution_options(yield_per=_ROWS_AT_A_TIME)).mappings():
                line = {"table": table.name, "row": {name: _plain(value) for name, value in row.items()}}
                file.write(json.dumps(line) + "\n")
                count += 1
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return count


def _load(session: Session, path: Path) -> int:
    tables = {table.name: table for table in _tables()}
    for table in reversed(_tables()):
        session.execute(table.delete())  # the counters that a migration sets
    count = 0
    for name, row in _rows(path):
        session.execute(insert(tables[name]).values(**row))
        count += 1
    return count


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            yield document["table"], {name: _value(value) for name, value in document["row"].items()}


def _check_empty(session: Session) -> None:
    if session.scalar(select(VersionRow.version).limit(1)) is not None:
        raise FailedPrecondition(
            Reason.CATALOGUE_NOT_EMPTY, "The catalogue holds learnwares; a backup is restored into an empty one."
        )


def _forget_old(folder: Path, packages: FolderBlobs, keep: int) -> None:
    backups = list_backups(folder)
    for old in backups[: max(0, len(backups) - keep)]:
        shutil.rmtree(old)
    for partial in folder.glob("*Z.partial"):
        shutil.rmtree(partial)
    needed = {sha256 for backup in list_backups(folder) for sha256 in _sealed(backup)["packages"]}
    for blob in list(packages.list_all()):
        if blob.sha256 not in needed:
            packages.delete(blob.sha256)


def _tables() -> list[SqlTable]:
    return [table for table in Table.metadata.sorted_tables if table.name not in _LEFT_OUT]


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def _value(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return base64.b64decode(value["bytes"]) if "bytes" in value else datetime.fromisoformat(value["time"])
