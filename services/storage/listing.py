"""Pages of learnwares: filtered, ordered, and gone on from where the last page ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
import json
import threading
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from learndock.account import Principal
from learndock.errors import InvalidInput, Reason
from learndock.learnware import Learnware
from learndock.serving.paging import PageTokens
from services.storage import store
from services.storage.filter import compile_filter
from services.storage.models import LearnwareRow

_MAX_TOTALS = 1024

ORDER_FIELDS: Mapping[str, InstrumentedAttribute[Any]] = {
    "id": LearnwareRow.learnware_id,
    "name": LearnwareRow.name,
    "create_time": LearnwareRow.create_time,
    "update_time": LearnwareRow.update_time,
}


@dataclass(frozen=True)
class OrderKey:
    """One field of an order."""

    field: str
    falling: bool

    @property
    def column(self) -> InstrumentedAttribute[Any]:
        """The column."""
        return ORDER_FIELDS[self.field]


@dataclass(frozen=True)
class ListQuery:
    """What a caller asks for; a page token belongs to all of it."""

    filter: str
    order_by: str
    show_deleted: bool


@dataclass(frozen=True)
class ListPage:
    """A page of learnwares.

    Attributes
    ----------
    learnwares
        What it holds.
    next_page_token
        For the next page; empty on the last.
    total_size
        How many learnwares pass the filter.
    """

    learnwares: Sequence[Learnware]
    next_page_token: str
    total_size: int


class Totals:
    """How many learnwares pass a query, counted anew once anything in the catalogue has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._revision = -1
        self._counts: dict[str, int] = {}

    def count(self, session: Session, asked: str, conditions: Sequence[ColumnElement[bool]]) -> int:
        """The number for what is asked, which tells the caller too."""
        revision = store.number(session, store.CATALOGUE_REVISION)
        with self._lock:
            if revision > self._revision or len(self._counts) >= _MAX_TOTALS:
                self._revision, self._counts = max(revision, self._revision), {}
            known = self._counts.get(asked) if revision == self._revision else None
        if known is not None:
            return known
        counted = store.count_learnwares(session, conditions)
        with self._lock:
            if revision == self._revision:
                self._counts[asked] = counted
        return counted


def list_page(
    session: Session,
    principal: Principal,
    query: ListQuery,
    *,
    pages: PageTokens,
    totals: Totals,
    page_token: str,
    size: int,
) -> ListPage:
    """A page of the learnwares that the caller may see.

    Raises
    ------
    InvalidInput
        FILTER_INVALID, ORDER_INVALID or PAGE_TOKEN_INVALID.
    """
    keys = parse_order(query.order_by)
    passing = compile_filter(query.filter, session.get_bind().dialect.name)
    conditions = [store.visible_to(principal, show_deleted=query.show_deleted), *passing]
    asked = json.dumps([principal.user_id, principal.role, query.filter, query.order_by, query.show_deleted])
    position = pages.decode(asked, page_token)
    beyond = [_beyond(keys, json.loads(position))] if position else []
    order = [key.column.desc() if key.falling else key.column.asc() for key in keys]
    found = store.list_learnwares(session, [*conditions, *beyond], order, size + 1)
    page = found[:size]
    return ListPage(
        learnwares=page,
        next_page_token=pages.encode(asked, _position(keys, page[-1])) if len(found) > size else "",
        total_size=totals.count(session, asked, conditions),
    )


def parse_order(text: str) -> tuple[OrderKey, ...]:
    """The keys of an order; the id is always the last, so that no two learnwares are in the same place.

    Raises
    ------
    InvalidInput
        ORDER_INVALID.
    """
    keys = [_order_key(part) for part in text.split(",")] if text.strip() else []
    fields = [key.field for key in keys]
    if len(set(fields)) != len(fields):
        raise _invalid("A field stands twice in the order.")
    return tuple(keys) if "id" in fields else (*keys, OrderKey("id", falling=False))


def _order_key(part: str) -> OrderKey:
    field, *direction = part.split() or [""]
    if field not in ORDER_FIELDS or direction not in ([], ["asc"], ["desc"]):
        raise _invalid(f"{part.strip()!r} is not a field of {', '.join(ORDER_FIELDS)}, with or without ' desc'.")
    return OrderKey(field, falling=direction == ["desc"])


def _beyond(keys: Sequence[OrderKey], values: Sequence[str]) -> ColumnElement[bool]:
    """Rows after a position: greater in the first key, or equal in it and greater in the second, and so on."""
    ways = []
    equal: list[ColumnElement[bool]] = []
    for key, text in zip(keys, values, strict=True):
        value = _value(key, text)
        ways.append(and_(*equal, key.column < value if key.falling else key.column > value))
        equal.append(key.column == value)
    # The bound on the first key says nothing new; but by it databases find the place in an index, not from its start.
    first, value = keys[0], _value(keys[0], values[0])
    return and_(first.column <= value if first.falling else first.column >= value, or_(*ways))


def _value(key: OrderKey, text: str) -> datetime | str:
    return datetime.fromisoformat(text) if key.field.endswith("_time") else text


def _position(keys: Sequence[OrderKey], learnware: Learnware) -> str:
    values = {
        "id": learnware.learnware_id,
        "name": learnware.semantic_specification.name,
        "create_time": learnware.create_time.isoformat(),
        "update_time": learnware.update_time.isoformat(),
    }
    return json.dumps([values[key.field] for key in keys])


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(Reason.ORDER_INVALID, message, field="order_by")
