"""Finding parts of names and descriptions, by the trigrams that both databases keep of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, literal_column, select, table, true

from services.storage.models import LearnwareRow

_INDEXED_LENGTH = 3
_COLUMNS = {"name": LearnwareRow.name, "text": LearnwareRow.words}


def find_text(field: str, text: str, dialect: str) -> ColumnElement[bool]:
    """Whether a learnware's name holds a text, or (field ``text``) its name and description hold each word of it.

    Upper and lower case are the same. Words of one or two characters have no trigram: every learnware is looked at.
    """
    column = _COLUMNS[field]
    parts = [text] if field == "name" else text.split()
    indexed = [part for part in parts if dialect == "sqlite" and len(part) >= _INDEXED_LENGTH]
    looked_at = [column.icontains(part, autoescape=True) for part in parts if part not in indexed]
    return and_(true(), *([_match(column.name, indexed)] if indexed else []), *looked_at)


def _match(column: str, parts: Sequence[str]) -> ColumnElement[bool]:
    texts: ColumnElement[str] = literal_column("learnware_texts")
    quoted = " AND ".join('"' + part.replace('"', '""') + '"' for part in parts)
    found = select(func.printf("%08d", literal_column("rowid"))).select_from(table("learnware_texts"))
    return LearnwareRow.learnware_id.in_(found.where(texts.op("MATCH")(f"{column} : ({quoted})")))
