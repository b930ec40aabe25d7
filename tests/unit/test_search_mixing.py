"""Which learnwares are mixed: those whose answers can be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from learndock.learnware import SemanticFilter
from learndock.rkme.specification import Specification
from services.search.live import Change
from services.search.search import Answer, search
from tests.support.search import empty_index, learnware, question

CLASSES, NUMBERS = "Classification", "Regression"


def at(*places: float) -> Specification:
    """Atoms around some places."""
    generator = np.random.default_rng(0)
    atoms = np.concatenate([place + generator.normal(scale=0.3, size=(20, 2)) for place in places])
    return Specification(atoms=atoms, weights=np.full(len(atoms), 1 / len(atoms)))


def answer(folder: Path, tasks: tuple[str, str], filter_: SemanticFilter | None = None) -> Answer:
    """Answer to a task whose halves are known by one learnware each, of these tasks."""
    live = empty_index(folder)
    for number, (task, place) in enumerate(zip(tasks, (-3.0, 3.0), strict=True), start=1):
        change = Change(number, learnware(number, task=task), searchable=True, specification=at(place))
        live.apply(change)
    live.publish()
    asked = question(at(-3.0, 3.0), members=5, filter_=filter_)
    return search(live.current, asked, None, time_left=lambda: math.inf, exhaustive_below=100)


def test_halves_of_one_task_are_mixed(tmp_path: Path) -> None:
    blend = answer(tmp_path, (CLASSES, CLASSES)).blend
    assert blend is not None
    assert len(blend.members) == 2


@pytest.mark.parametrize("filter_", [None, SemanticFilter(tasks=(CLASSES, NUMBERS))])
def test_a_class_and_a_number_are_not(tmp_path: Path, filter_: SemanticFilter | None) -> None:
    found = answer(tmp_path, (CLASSES, NUMBERS), filter_)
    assert len(found.singles) == 2
    assert found.blend is None
