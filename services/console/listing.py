"""Lists of learnwares, page after page; the filter is built here and quoted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from learndock.client.pages import Page
from learndock.learnware import VOCABULARY, Learnware, VersionState, Visibility
from services.console.visit import Visit

PAGE_SIZE = 25
ORDERS = ("create_time desc", "create_time", "name", "id")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "state": tuple(VersionState),
    "data": VOCABULARY["Data"],
    "task": VOCABULARY["Task"],
    "library": VOCABULARY["Library"],
    "visibility": tuple(Visibility),
}
"""Words to choose from, by the field of the list's filter."""

_MOST_TEXT = 100


@dataclass(frozen=True)
class Selection:
    """Which learnwares a list shows.

    Attributes
    ----------
    path
        Page of the list.
    text
        Part of the name.
    chosen
        One word by field.
    order
        One of `ORDERS`.
    owner
        Whose, by user id; empty for everybody's.
    deleted
        Shows deleted ones too.
    """

    path: str
    text: str
    chosen: Mapping[str, str]
    order: str
    owner: str = ""
    deleted: bool = False

    @classmethod
    def asked(cls, visit: Visit, *, owner: str = "", deleted: bool = False) -> Selection:
        """What the page's address says; words that we do not know are passed over."""
        chosen = {name: visit.query(name) for name, words in CHOICES.items() if visit.query(name) in words}
        order = visit.query("order")
        return cls(
            path=visit.request.url.path,
            text=visit.query("text").strip()[:_MOST_TEXT],
            chosen=chosen,
            order=order if order in ORDERS else ORDERS[0],
            owner=owner,
            deleted=deleted,
        )

    @property
    def filter(self) -> str:
        """The filter as the dock takes it."""
        return " AND ".join(self._terms())

    def with_page(self, token: str) -> str:
        """Address of a page of this list."""
        pairs = [("text", self.text), *self.chosen.items(), ("order", self.order), ("page", token)]
        return f"{self.path}?{urlencode([(name, value) for name, value in pairs if value])}"

    def with_state(self, state: str) -> str:
        """Address of this list for another state."""
        return f"{self.path}?{urlencode({'state': state})}" if state else self.path

    def _terms(self) -> Iterator[str]:
        if self.owner:
            yield f"owner = {_quoted(self.owner)}"
        for name, word in self.chosen.items():
            yield f"{name} = {_quoted(word)}"
        if self.text:
            yield f"name : {_quoted(self.text)}"


def learnwares(visit: Visit, selection: Selection) -> Page[Learnware]:
    """The page that the address asks for."""
    return visit.dock.pages.learnwares(
        filter_=selection.filter,
        order_by=selection.order,
        size=PAGE_SIZE,
        token=visit.query("page"),
        show_deleted=selection.deleted,
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
