"""Semantic filters, visibility and words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Principal, Role
from learndock.errors import InvalidInput
from learndock.learnware import FeatureSpace, FormatClass, Learnware, SemanticFilter, Visibility
from services.search.catalogue import Admission, Shelf
from services.search.entry import Entry
from services.search.words import MAX_TEXT, Words, share_in_name, split
from tests.support.search import USER, learnware


def described(number: int, **more: object) -> Learnware:
    """A learnware that tells what its columns and classes mean."""
    made = learnware(number, **more)
    semantic = replace(
        made.semantic_specification,
        input=FeatureSpace(3, {0: "Width in mm", 2: "Height in mm"}),
        output=FeatureSpace(2, {0: "Stop", 1: "Give way"}),
    )
    return replace(made, semantic_specification=semantic)


ENTRIES = [
    Entry(made, None, 10 + number)
    for number, made in enumerate(
        [
            learnware(1, name="Digits of post codes", scenarios=("Education", "Business")),
            learnware(2, name="Wine quality", task="Regression", scenarios=("Agriculture",)),
            learnware(3, name="Private digits", owner="ann", private=True, format_class=FormatClass.SAFE),
            described(4, name="Traffic signs", owner="ann", scenarios=("Traffic",)),
        ]
    )
]
SHELF = Shelf.of(ENTRIES)


def admitted(filter_: SemanticFilter | None = None, caller: Principal = USER, **more: object) -> list[int]:
    return list(np.flatnonzero(SHELF.admitted(Admission(caller, filter_ or SemanticFilter(), **more))) + 1)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (SemanticFilter(), [1, 2, 4]),
        (SemanticFilter(tasks=("Regression",)), [2]),
        (SemanticFilter(tasks=("Regression", "Classification")), [1, 2, 4]),
        (SemanticFilter(data=("Image",)), []),
        (SemanticFilter(libraries=("Scikit-learn",), licenses=("MIT",)), [1, 2, 4]),
        (SemanticFilter(licenses=("GPL-3.0",)), []),
        (SemanticFilter(scenarios=("Traffic", "Business")), [1, 4]),
        (SemanticFilter(owner_ids=("ann",)), [4]),
        (SemanticFilter(format_classes=(FormatClass.SAFE,)), []),
        (SemanticFilter(learnware_ids=("00000002", "00000003", "99999999")), [2]),
        (SemanticFilter(visibilities=(Visibility.PUBLIC,)), [1, 2, 4]),
        (SemanticFilter(visibilities=(Visibility.PRIVATE,)), []),
        (SemanticFilter(inputs=("WIDTH", "height")), [4]),
        (SemanticFilter(inputs=("width", "depth")), []),
        (SemanticFilter(outputs=("way",)), [4]),
        (SemanticFilter(outputs=("width",)), []),
        (SemanticFilter(owner_ids=("ann",), scenarios=("Traffic",), tasks=("Regression",)), []),
    ],
)
def test_filters_admit_what_they_say(filter_: SemanticFilter, expected: list[int]) -> None:
    assert admitted(filter_) == expected


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (Principal("ann", "ann", Role.USER), [3]),
        (Principal("root", "root", Role.ADMIN), [3]),
        (Principal("", "search", Role.SERVICE), [3]),
        (Principal("bob", "bob", Role.USER), []),
    ],
)
def test_private_learnwares_are_seen_by_owner_and_admins(caller: Principal, expected: list[int]) -> None:
    assert admitted(SemanticFilter(format_classes=(FormatClass.SAFE,)), caller) == expected


def test_who_asks_for_private_ones_gets_their_own() -> None:
    only = SemanticFilter(visibilities=(Visibility.PRIVATE,))
    assert admitted(only, Principal("ann", "ann", Role.USER)) == [3]
    assert admitted(only, Principal("bob", "bob", Role.USER)) == []


def test_excluded_and_worded_narrow_further() -> None:
    assert admitted(excluded=frozenset({"00000001", "nobody"})) == [2, 4]
    assert admitted(worded=np.array([10, 12, 99])) == [1]


def test_an_empty_shelf_admits_nothing() -> None:
    assert not Shelf.of(()).admitted(Admission(USER)).any()


@pytest.fixture
def words(tmp_path: Path) -> Iterator[Words]:
    words = Words(tmp_path / "words.sqlite")
    words.add(ENTRIES)
    yield words
    words.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("digits", [10, 12]),
        ("DIGIT", [10, 12]),
        ("post digits", [10]),
        ("qual", [11]),
        ("digits wine", []),
        ('" OR name:x) NEAR * -', []),
        ("wine'; DROP TABLE words", []),
        ("?!", []),
    ],
)
def test_all_words_must_be_found(words: Words, text: str, expected: list[int]) -> None:
    assert sorted(words.matching(text)) == expected


def test_adding_twice_changes_nothing_and_removing_forgets(words: Words) -> None:
    words.add(ENTRIES[:1])
    assert sorted(words.matching("digits")) == [10, 12]
    words.remove([10])
    assert list(words.matching("digits")) == [12]


def test_a_long_text_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        split("a" * (MAX_TEXT + 1))
    assert caught.value.field == "filter.text"


def test_words_in_the_name_rank() -> None:
    assert share_in_name("Digits of post codes", ["digit", "wine"]) == 0.5
    assert share_in_name("Digits", []) == 0.0
