"""Filters mean what a plain interpreter of the same grammar makes of them, and nothing of them reaches SQL as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from learndock.errors import InvalidInput, Reason
from services.storage.filter import MAX_FILTER, compile_filter
from services.storage.models import LearnwareRow, Table, VersionRow

DAY = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("digits", "Wine 100%", "o'hara", 'say "hi"', "a_b", "digits even")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://")
    Table.metadata.create_all(engine)
    with Session(engine) as made:
        for i, name in enumerate(NAMES, start=1):
            made.add(
                LearnwareRow(
                    learnware_id=f"{i:08d}",
                    owner_id=f"user{i % 2}",
                    name=name,
                    data="Table",
                    task="Classification" if i % 2 else "Regression",
                    library="Others",
                    license="MIT",
                    words=f"{name}\nOf no use.",
                    semantic=b"",
                    visibility="PUBLIC" if i % 3 else "PRIVATE",
                    current_version=1,
                    create_time=DAY + timedelta(days=i),
                    update_time=DAY,
                    revision=0,
                )
            )
            made.flush()
            made.add(
                VersionRow(
                    learnware_id=f"{i:08d}",
                    version=1,
                    state="VERIFIED" if i < 4 else "REJECTED",
                    sha256="",
                    size_bytes=1,
                    format_class="CODE" if i == 1 else None,
                    create_time=DAY,
                    validation_id="",
                    state_reason="",
                    fence=0,
                )
            )
        yield made


def found(session: Session, text: str) -> set[int]:
    query = select(LearnwareRow.learnware_id).join(VersionRow, VersionRow.learnware_id == LearnwareRow.learnware_id)
    return {int(each) for each in session.scalars(query.where(*compile_filter(text, "postgresql")))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {1, 2, 3, 4, 5, 6}),
        ("  ", {1, 2, 3, 4, 5, 6}),
        ("name = digits", {1}),
        ('name="digits even"', {6}),
        ("name:DIGITS", {1, 6}),
        ("name:%", {2}),
        ("name:_", {5}),
        ('name = "o\'hara"', {3}),
        ("name = 'say \"hi\"'", {4}),
        (r'name = "say \"hi\""', {4}),
        ('id >= "00000005"', {5, 6}),
        ("id != 00000001", {2, 3, 4, 5, 6}),
        ("state = verified", {1, 2, 3}),
        ("state = VERIFIED AND task = Regression", {2}),
        ("state = VERIFIED task = Regression", {2}),
        ("NOT state = VERIFIED", {4, 5, 6}),
        ("-state = VERIFIED", {4, 5, 6}),
        ("visibility = PRIVATE", {3, 6}),
        ("format_class = CODE", {1}),
        ("create_time > 2026-01-05T00:00:00Z", {5, 6}),
        ('create_time <= "2026-01-03"', {1, 2}),
        # OR binds tighter than AND, as AIP-160 says
        ("state = VERIFIED AND id = 00000001 OR id = 00000005", {1}),
        ("(state = VERIFIED AND id = 00000001) OR id = 00000005", {1, 5}),
        ('name = "x\'; DROP TABLE learnwares; --"', set()),
        ('owner = user1 OR name = "AND"', {1, 3, 5}),
    ],
)
def test_filters(session: Session, text: str, expected: set[int]) -> None:
    assert found(session, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "name",
        "name =",
        "= digits",
        "colour = red",
        "state = DANCING",
        "name = a AND",
        "name = a OR OR name = b",
        "(name = a",
        "name = a)",
        'name = "open',
        "create_time = yesterday",
        "create_time : 2026",
        "NOT",
        "name ~ a",
        "AND = 3",
        "(" * 50 + "name = a" + ")" * 50,
        "name = a AND " * 1000,
        "owner_id = x",
        "semantic = x",
        "x" * (MAX_FILTER + 1),
    ],
)
def test_what_does_not_parse_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        compile_filter(text, "postgresql")
    assert (caught.value.reason, caught.value.field) == (Reason.FILTER_INVALID, "filter")


@given(st.text(max_size=60))
def test_no_text_makes_a_fault(text: str) -> None:
    with suppress(InvalidInput):
        compile_filter(text, "postgresql")


Tree = tuple[str, Callable[[int], bool]]


def comparison(number: int) -> Tree:
    return f'id = "{number:08d}"', lambda i: i == number


def joined(word: str, parts: list[Tree]) -> Tree:
    text = f" {word} ".join(f"({part[0]})" for part in parts)
    combine = all if word == "AND" else any
    return text, lambda i: combine(part[1](i) for part in parts)


def negated(part: Tree) -> Tree:
    return f"NOT ({part[0]})", lambda i: not part[1](i)


TREES = st.recursive(
    st.integers(1, 6).map(comparison),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: joined("AND", parts)),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: joined("OR", parts)),
        inner.map(negated),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(tree=TREES)
def test_expressions_mean_what_they_say(session: Session, tree: Tree) -> None:
    text, meaning = tree
    assert found(session, text) == {i for i in range(1, 7) if meaning(i)}
