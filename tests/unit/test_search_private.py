"""Searching with a differentially private task."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import PrivateSpecification, specify_privately
from learndock.rkme.random_features import FeatureMap
from learndock.rkme.specification import Specification
from services.search.assessment import Advice
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.search import Answer, search
from tests.support.search import filled_index, question

CENTERS = np.random.default_rng(0).uniform(-3, 3, size=(40, 4))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> DockIndex:
    generator = np.random.default_rng(1)
    made = [Specification(center + generator.normal(size=(30, 4)), np.full(30, 1 / 30)) for center in CENTERS]
    return filled_index(tmp_path_factory.mktemp("dock"), made).current


def release(center: np.ndarray, rows: int = 10_000, seed: int = 2) -> PrivateSpecification:
    sample = center + np.random.default_rng(seed).normal(size=(rows, len(center)))
    features = FeatureMap.of_ranges([(-6.0, 6.0)] * len(center), frequency_count=256)
    return specify_privately(sample, budget=PrivacyBudget(1.0, 1e-5), feature_map=features, random=Random(seed))


def ask(index: DockIndex, task: PrivateSpecification, *, seconds: float = 60.0, **asked: object) -> Answer:
    wanted = replace(question(None, members=5, **asked), private=task)
    return search(index, wanted, None, engine=LocalEngine(), time_left=lambda: seconds, exhaustive_below=100)


def test_the_nearest_of_many_comes_first(index: DockIndex) -> None:
    for number in range(0, 40, 5):
        answer = ask(index, release(CENTERS[number]))
        assert answer.singles[0].entry.learnware_id == f"{number + 1:08d}"


def test_it_is_ordered_by_the_estimates_and_says_what_it_is(index: DockIndex) -> None:
    task = release(CENTERS[3])
    answer = ask(index, task, top_k=40)
    distances = {
        entry.learnware_id: task.squared_distance(entry.specification.atoms, entry.specification.weights)
        for entry in (single.entry for single in answer.singles)
    }
    assert list(distances) == sorted(distances, key=distances.__getitem__)
    assert [single.mmd2 for single in answer.singles] == [max(0.0, value) for value in distances.values()]
    assert (answer.certified, answer.blend, answer.scored, answer.admitted) == (False, None, 40, 40)
    assert "epsilon 1" in answer.remark
    assert "nothing is proven" in answer.remark


@pytest.mark.parametrize(("asked", "scored"), [({"max_scored": 20}, 20), ({"seconds": 0.0}, 0)])
def test_a_budget_ends_it_and_that_is_told(index: DockIndex, asked: dict[str, float], scored: int) -> None:
    answer = ask(index, release(CENTERS[0]), **asked)
    assert answer.scored == scored
    assert f"Only {scored} of 40" in answer.remark


def test_learnwares_left_out_stay_out(index: DockIndex) -> None:
    answer = ask(index, release(CENTERS[0]), excluded=frozenset({"00000001"}))
    assert "00000001" not in {single.entry.learnware_id for single in answer.singles}
    assert answer.admitted == 39


def test_a_table_of_other_columns_compares_with_nothing(index: DockIndex, tmp_path: Path) -> None:
    answer = ask(index, release(np.zeros(2)))
    assert (answer.singles, answer.advice) == ((), Advice.NO_COMPARABLE_LEARNWARE)
