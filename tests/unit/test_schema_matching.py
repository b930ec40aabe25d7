"""Columns matched by what they mean, against assignments found by trying all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.errors import InvalidInput
from learndock.learnware import FeatureSpace
from learndock.schema.assignment import Assignment, Match
from learndock.schema.column import Meaning, Values
from learndock.schema.matching import LEAST_CONFIDENCE, assign
from learndock.schema.meanings import Meanings
from learndock.schema.schema import Schema
from learndock.schema.units import unit_of

ROWS = np.random.default_rng(0).standard_normal((60, 6))


def letters(texts: Sequence[str]) -> NDArray[np.float64]:
    """An encoder that counts letters."""
    return np.array([[text.lower().count(chr(code)) for code in range(97, 123)] for text in texts], dtype=float)


def schema(*descriptions: str, rows: NDArray[np.float64] = ROWS, encode: object = letters) -> Schema:
    space = FeatureSpace(len(descriptions), {i: text for i, text in enumerate(descriptions) if text})
    made = Schema.of(space, rows[:, : len(descriptions)], np.full(len(rows), 1 / len(rows)), encode)
    assert made is not None
    return made


def pairs(assignment: Assignment) -> dict[int, int]:
    return {match.task_column: match.learnware_column for match in assignment.matches}


def test_a_description_is_read() -> None:
    assert Meaning.of("TEMP: air  temperature [°C]") == Meaning("TEMP", "air temperature", unit_of("degC"))
    assert Meaning.of("price (dollars)") == Meaning("", "price (dollars)", None)
    assert Meaning.of("wind = NE (0 or 1)") == Meaning("", "wind = NE", None)
    assert Meaning.of("note: it rained: a lot") == Meaning("note", "it rained: a lot", None)


def test_equal_words_are_one_column_in_any_order_and_for_sure() -> None:
    found = assign(schema("wind", "rain", "sun"), schema("a: sun", "b: wind", "c: rain"))
    assert pairs(found) == {0: 1, 1: 2, 2: 0}
    assert found.coverage == 1.0


def test_the_whole_confidence_is_the_greatest_there_is() -> None:
    generator = np.random.default_rng(3)
    words = ["".join(generator.choice(list("abcdef"), size=6)) for _ in range(10)]
    task, other = schema(*words[:5]), schema(*words[5:])
    found = assign(task, other)

    def single(i: int, j: int) -> float:
        one = assign(Schema((task.columns[i],), task.vectors[[i]]), Schema((other.columns[j],), other.vectors[[j]]))
        return sum(match.confidence for match in one.matches)

    best = max(sum(single(i, j) for i, j in enumerate(order)) for order in permutations(range(5)))
    assert sum(match.confidence for match in found.matches) == pytest.approx(best)


def test_columns_of_other_numbers_units_or_no_words_are_not_one() -> None:
    assert pairs(assign(schema("price of brand 3"), schema("price of brand 4", "brand 3 price"))) == {0: 1}
    assert pairs(assign(schema("level [degC]"), schema("level [hPa]"))) == {}
    assert pairs(assign(schema("", "rain"), schema("", "rain"))) == {1: 1}


def test_a_unit_is_converted_before_values_are_compared() -> None:
    celsius = ROWS * 8 + 15
    task = schema("temperature outdoors [degF]", rows=celsius * 1.8 + 32)
    found = assign(task, schema("outdoors temperature [degC]", rows=celsius))
    assert found.matches[0].confidence == pytest.approx(1.0)
    np.testing.assert_allclose(found.converted(celsius[:, :1] * 1.8 + 32), celsius[:, :1])


def test_values_decide_between_equal_meanings() -> None:
    rows = np.column_stack([ROWS[:, 0], ROWS[:, 1] * 50 + 900])
    task = schema("abc", rows=rows[:, 1:])
    assert pairs(assign(task, schema("acb", "bca", rows=rows))) == {0: 1}
    assert Values.of(rows[:, 0], np.full(60, 1 / 60)).likeness(task.columns[0].values) < 0.01


def test_meanings_that_share_nothing_are_not_matched() -> None:
    assert assign(schema("aaaa"), schema("zzzz")).matches == ()
    assert LEAST_CONFIDENCE > 0


def test_a_table_of_which_nothing_is_said_has_no_schema() -> None:
    assert Schema.of(FeatureSpace(2, {0: " "}), ROWS[:, :2], np.full(60, 1 / 60), letters) is None


@pytest.mark.parametrize("match", [Match(2, 0), Match(0, 5), Match(1, 0)])
def test_no_column_is_out_of_range_or_twice(match: Match) -> None:
    with pytest.raises(InvalidInput, match="from 0 to"):
        Assignment((Match(0, 0), match), 2, 2)


def test_the_sentence_encoder_knows_what_columns_mean() -> None:
    meanings = Meanings()
    assert meanings.understands
    owners = ("sulphur dioxide", "nitrogen dioxide", "carbon monoxide", "air temperature", "precipitation", "dew point")
    users = (
        "rainfall",
        "temperature outdoors",
        "nitrogen dioxide level",
        "sulfur dioxide in the air",
        "",
        "CO: carbon monoxide",
    )
    found = assign(schema(*users, encode=meanings), schema(*owners, encode=meanings))
    assert pairs(found) == {0: 4, 1: 3, 2: 1, 3: 0, 5: 2}
