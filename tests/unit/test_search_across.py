"""Answers across feature spaces: who is offered, in which order, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import math
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Principal, Role
from learndock.learnware import FeatureSpace, SemanticFilter
from learndock.rkme.specification import Specification
from learndock.schema.meanings import Meanings
from services.search.across import Across, AcrossSingle, search_across
from services.search.assessment import Advice
from services.search.catalogue import Admission
from services.search.desk import SearchDesk
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.search import Answer
from services.search.turns import Turns
from tests.support.search import USER, empty_index, filled_index, learnware, question

WEATHER = ("air temperature [degC]", "air pressure [hPa]", "precipitation [mm]", "wind speed [m/s]")
WINE = ("alcohol content", "malic acid", "ash content", "magnesium", "colour intensity")
# In the order of the weather's columns: temperature in Fahrenheit, precipitation, wind; no pressure.
TASK = ("rainfall [mm]", "temperature outdoors [degF]", "speed of the wind [m/s]")


def weather(place: float, generator: np.random.Generator) -> np.ndarray:
    usual = np.array([place, 1000.0, 5.0, 3.0])
    return usual + generator.standard_normal((30, 4)) * np.array([4.0, 10.0, 2.0, 1.0])


def specification(rows: np.ndarray, words: tuple[str, ...] = ()) -> Specification:
    space = FeatureSpace(rows.shape[1], dict(enumerate(words))) if words else None
    return Specification(rows.astype(np.float32), np.full(len(rows), 1 / len(rows)), input=space)


def task_of(rows: np.ndarray, words: tuple[str, ...] = TASK) -> Specification:
    return specification(np.column_stack([rows[:, 2], rows[:, 0] * 1.8 + 32.0, rows[:, 3]]), words)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Learnwares 1 to 6 of weather at 0, 30, ... degrees, 7 and 8 of wine, 9 of weather but private."""
    generator = np.random.default_rng(1)
    live = empty_index(tmp_path_factory.mktemp("across"))
    made = [specification(weather(30.0 * number, generator), WEATHER) for number in range(6)]
    made += [specification(generator.standard_normal((20, 5)) + 12, WINE) for _ in range(2)]
    made.append(specification(weather(60.0, generator), WEATHER))
    for number, one in enumerate(made, start=1):
        entered = learnware(number, private=number == 9)
        semantic = replace(entered.semantic_specification, input=one.input)
        live.apply(
            Change(number, replace(entered, semantic_specification=semantic), searchable=True, specification=one)
        )
    live.publish()
    yield live
    live.close()


MEANINGS = Meanings()


def across(live: LiveIndex, task: Specification, caller: Principal = USER, **filters: object) -> list[AcrossSingle]:
    admission = Admission(caller, SemanticFilter(**filters))
    found = search_across(live.current, task, admission, top_k=10, encode=MEANINGS, time_left=lambda: math.inf)
    return list(found)


def ids(found: list[AcrossSingle]) -> list[int]:
    return [int(one.entry.learnware_id) for one in found]


@pytest.mark.parametrize("number", range(6))
def test_the_nearest_of_the_right_kind_comes_first(live: LiveIndex, number: int) -> None:
    found = across(live, task_of(weather(30.0 * number, np.random.default_rng(7))))
    assert ids(found)[0] == number + 1
    assert not {7, 8} & set(ids(found))
    assert {m.task_column: m.learnware_column for m in found[0].assignment.matches} == {0: 2, 1: 0, 2: 3}
    assert found[0].percentile > found[-1].percentile
    assert "3 of your 3 columns" in found[0].explanation


def test_what_others_may_not_see_is_in_no_answer(live: LiveIndex) -> None:
    task = task_of(weather(60.0, np.random.default_rng(7)))
    assert 9 not in ids(across(live, task))
    assert 9 in ids(across(live, task, Principal("owner", "owner", Role.USER)))


def test_filters_hold_across(live: LiveIndex) -> None:
    task = task_of(weather(60.0, np.random.default_rng(7)))
    assert ids(across(live, task, learnware_ids=("00000001", "00000004"))) in ([4, 1], [1, 4], [4])
    assert across(live, task, tasks=("Regression",)) == []


@pytest.mark.parametrize("words", [(), ("first", "second", "third"), ("petals", "name of the bird", "vote")])
def test_without_shared_meaning_there_is_no_guess(live: LiveIndex, words: tuple[str, ...]) -> None:
    assert across(live, task_of(weather(60.0, np.random.default_rng(7)), words)) == []


def test_rows_that_nowhere_overlap_fit_nothing(live: LiveIndex) -> None:
    assert across(live, task_of(weather(60.0, np.random.default_rng(7)) + 5000.0)) == []


def test_the_very_same_columns_are_left_to_the_plain_search(live: LiveIndex) -> None:
    rows = weather(60.0, np.random.default_rng(7))
    assert across(live, specification(rows, WEATHER)) == []


def test_when_to_look() -> None:
    assert Across.WHERE_NOTHING_FITS.wanted(Advice.NO_COMPARABLE_LEARNWARE)
    assert not Across.WHERE_NOTHING_FITS.wanted(None)
    assert Across.ALWAYS.wanted(None)
    assert not Across.NEVER.wanted(Advice.NO_COMPARABLE_LEARNWARE)


class TestFeatureSpacesOfOneDimension:
    """Tables of four columns: what they are decides who is compared."""

    @staticmethod
    def answer(live: LiveIndex, words: tuple[str, ...], rows: np.ndarray | None = None, **more: object) -> Answer:
        task = specification(weather(60.0, np.random.default_rng(7)) if rows is None else rows, words)
        desk = SearchDesk(live, LocalEngine(), Turns(1), exhaustive_below=100, meanings=MEANINGS)
        return desk.answer(replace(question(task, top_k=10), **more), min_sequence=0)

    def test_the_same_columns_in_other_words_are_compared(self, live: LiveIndex) -> None:
        words = ("temperature of the air [degC]", "pressure of the air [hPa]", "rainfall [mm]", "speed of wind [m/s]")
        found = self.answer(live, words, across=Across.ALWAYS)
        assert {int(single.entry.learnware_id) for single in found.singles} == {1, 2, 3, 4, 5, 6}
        assert found.across == ()

    def test_columns_that_mean_others_are_no_candidates(self, live: LiveIndex) -> None:
        found = self.answer(live, ("age of the house", "number of rooms", "distance to the school", "crime rate"))
        assert found.singles == ()
        assert found.admitted == 0
        assert found.advice is Advice.NO_COMPARABLE_LEARNWARE

    def test_columns_in_another_order_are_offered_across(self, live: LiveIndex) -> None:
        order = [1, 0, 3, 2]
        rows = weather(60.0, np.random.default_rng(7))[:, order]
        found = self.answer(live, tuple(WEATHER[column] for column in order), rows, across=Across.ALWAYS)
        assert found.singles == ()
        assert ids(list(found.across))[0] == 3
        assert {m.task_column: m.learnware_column for m in found.across[0].assignment.matches} == dict(enumerate(order))

    def test_columns_in_other_units_are_offered_across(self, live: LiveIndex) -> None:
        words = ("air temperature [degF]", "air pressure [kPa]", "precipitation [cm]", "wind speed [km/h]")
        rows = weather(60.0, np.random.default_rng(7)) * [1.8, 0.1, 0.1, 3.6] + [32.0, 0.0, 0.0, 0.0]
        found = self.answer(live, words, rows, across=Across.ALWAYS)
        assert found.singles == ()
        assert ids(list(found.across))[0] == 3
        assert len(found.across[0].assignment.matches) == 4

    def test_a_task_that_says_nothing_is_compared_with_all(self, live: LiveIndex) -> None:
        assert len(self.answer(live, ()).singles) == 6

    def test_a_learnware_that_says_nothing_is_compared(self, tmp_path: Path) -> None:
        rows = weather(60.0, np.random.default_rng(7))
        silent = filled_index(tmp_path, [specification(rows)])
        assert len(self.answer(silent, WEATHER).singles) == 1
