"""Free text: the words of names and descriptions, in SQLite's full-text index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
import re

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from learndock.errors import InvalidInput, Reason
from learndock.serving.sql import Database
from services.search.entry import Entry

MAX_TEXT = 1000
_WORD = re.compile(r"\w+")
_CREATE = "CREATE VIRTUAL TABLE words USING fts5(name, description, tokenize='porter unicode61')"

_INSERT = "INSERT OR REPLACE INTO words(rowid, name, description) VALUES (:sequence, :name, :description)"
# Entries whose words are added at a time.
_AT_ONCE = 10_000


class Words:
    """Words of entries, by `Entry.sequence`. Derived data: made anew at each start.

    Parameters
    ----------
    path
        Where the database file is kept; what is there is thrown away.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._database = Database(f"sqlite:///{path}")
        with self._database.write() as session:
            session.execute(text(_CREATE))

    def add(self, entries: Iterable[Entry]) -> None:
        """Add the words of entries; adding one again changes nothing."""
        remaining = iter(entries)
        while rows := [_row(entry) for entry in islice(remaining, _AT_ONCE)]:
            with self._database.write() as session:
                session.execute(text(_INSERT), rows)

    def remove(self, sequences: Sequence[int]) -> None:
        """Forget entries."""
        if sequences:
            with self._database.write() as session:
                session.execute(
                    text("DELETE FROM words WHERE rowid = :sequence"), [{"sequence": number} for number in sequences]
                )

    def matching(self, wanted: str) -> NDArray[np.int64]:
        """Sequences of the entries that contain every word, or one that begins with it, int64."""
        words = split(wanted)
        if not words:
            return np.zeros(0, dtype=np.int64)
        # Quoted, so that nothing in a word is taken for the query language.
        query = " AND ".join(f'"{word}"*' for word in words)
        with self._database.read() as session:
            found = session.execute(text("SELECT rowid FROM words WHERE words MATCH :query"), {"query": query})
            return np.fromiter((row[0] for row in found), np.int64)

    def close(self) -> None:
        """Close the database."""
        self._database.close()


def _row(entry: Entry) -> dict[str, int | str]:
    semantic = entry.learnware.semantic_specification
    return {"sequence": entry.sequence, "name": semantic.name, "description": semantic.description}


def split(wanted: str) -> list[str]:
    """Words of a text, lower case.

    Raises
    ------
    InvalidInput
        The text is too long.
    """
    if len(wanted) > MAX_TEXT:
        raise InvalidInput(Reason.FIELD_INVALID, f"The text exceeds {MAX_TEXT} characters.", field="filter.text")
    return [word.lower() for word in _WORD.findall(wanted)]


def share_in_name(name: str, wanted: Sequence[str]) -> float:
    """Share of the wanted words that a name contains, 0 to 1.

    Ranks by this entry alone: the usual ranks of full-text indexes weigh words by how many other entries hold them,
    private ones of other people included.
    """
    words = split(name)
    return sum(any(word.startswith(one) for word in words) for one in wanted) / max(1, len(wanted))
