"""A copy of the catalogue and of every package it refers to, from which a service can be built anew.

A backup is `catalogue.jsonl.gz` with the rows of every table as of one moment, the packages by their digest, and
`backup.json`, which is written last: without it there is no backup. Packages are read after the catalogue, so that
every package of its versions was there; those of former backups in the same place are not copied again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
import gzip
import json
from pathlib import Path
import re
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Table as SqlTable
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from learndock.errors import FailedPrecondition, InvalidInput, Reason
from learndock.serving.sql import Database, now
from services.storage.backup_places import BackupPlace
from services.storage.blobs import BlobStore, unknown_blob
from services.storage.models import SegmentRow, Table, UploadRow, VersionRow

_FORMAT = 1
_CATALOGUE = "catalogue.jsonl.gz"
_SEAL = "backup.json"
_ROWS_AT_A_TIME = 500
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
# Bytes on their way in are not part of it: their senders send them again.
_LEFT_OUT = {UploadRow.__tablename__, SegmentRow.__tablename__}


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes
    ----------
    name
        Its name, which tells the time.
    rows
        Rows of all tables.
    packages
        Different packages.
    """

    name: str
    rows: int
    packages: int


def back_up(database: Database, blobs: BlobStore, place: BackupPlace, *, keep: int) -> Backup:
    """Make a backup beside the former ones, of which the newest `keep` in all stay.

    Raises
    ------
    DataLoss
        HASH_MISMATCH: a package is damaged; there is no backup then.
    """
    name = now().strftime("%Y%m%dT%H%M%S.%fZ")
    packages = place.packages
    with TemporaryDirectory() as scratch:
        aside = Path(scratch, "aside")
        with database.read() as session:
            rows = _dump(session, aside)
            referred = set(session.scalars(select(VersionRow.sha256)))
        place.keep(f"{name}/{_CATALOGUE}", aside)
        for sha256 in sorted(referred):
            _copy(blobs, packages, sha256)
        aside.write_text(json.dumps({"format": _FORMAT, "rows": rows, "packages": sorted(referred)}))
        place.keep(f"{name}/{_SEAL}", aside)
    _forget_old(place, keep)
    return Backup(name, rows, len(referred))


def restore(database: Database, blobs: BlobStore, place: BackupPlace, name: str) -> Backup:
    """Fill an empty catalogue, and the store of packages, from a backup; from the newest when `name` is empty.

    Raises
    ------
    InvalidInput
        There is no such backup.
    FailedPrecondition
        The catalogue is not empty.
    DataLoss
        HASH_MISMATCH: a package of the backup is damaged; the catalogue stays empty.
    """
    name = name or next(reversed(list_backups(place)), "")
    seal = _sealed(place, name)
    for sha256 in seal["packages"]:
        _copy(place.packages, blobs, sha256)
    with TemporaryDirectory() as scratch, database.write() as session:
        _check_empty(session)
        place.fetch(f"{name}/{_CATALOGUE}", Path(scratch, "catalogue"))
        rows = _load(session, Path(scratch, "catalogue"))
    return Backup(name, rows, len(seal["packages"]))


def list_backups(place: BackupPlace) -> list[str]:
    """Names of the backups in a place, oldest first."""
    return [name.partition("/")[0] for name in place.names() if name.endswith(f"/{_SEAL}")]


def is_backup_name(text: str) -> bool:
    """Whether a text is a name as backups have them."""
    return _NAME.fullmatch(text) is not None


def _sealed(place: BackupPlace, name: str) -> dict[str, Any]:
    with TemporaryDirectory() as scratch:
        path = Path(scratch, "seal")
        if not name or not place.fetch(f"{name}/{_SEAL}", path):
            raise InvalidInput(Reason.FIELD_INVALID, "There is no backup.", field="backup")
        seal = json.loads(path.read_text())
    if seal.get("format") != _FORMAT:
        raise InvalidInput(Reason.FIELD_INVALID, f"{name} is a backup of another release.", field="backup")
    return dict(seal)


class _Pieces:
    """Pieces of a package as a source of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def _copy(source: BlobStore, target: BlobStore, sha256: str) -> None:
    if target.stat(sha256) is not None:
        return
    blob = source.stat(sha256)
    if blob is None:
        raise unknown_blob(sha256)
    target.put(_Pieces(source.chunks(sha256)), blob.size_bytes, sha256)


def _dump(session: Session, path: Path) -> int:
    count = 0
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for table in _tables():
            for row in session.execute(select(table).execution_options(yield_per=_ROWS_AT_A_TIME)).mappings():
                line = {"table": table.name, "row": {name: _plain(value) for name, value in row.items()}}
                file.write(json.dumps(line) + "\n")
                count += 1
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


def _forget_old(place: BackupPlace, keep: int) -> None:
    kept = set(list_backups(place)[-keep:])
    # The seal goes first, so that what is half removed is no backup; what was never sealed goes too.
    for name in sorted(place.names(), key=lambda each: not each.endswith(_SEAL)):
        if name.partition("/")[0] not in kept:
            place.remove(name)
    needed = {sha256 for name in kept for sha256 in _sealed(place, name)["packages"]}
    for blob in list(place.packages.list_all()):
        if blob.sha256 not in needed:
            place.packages.delete(blob.sha256)


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
