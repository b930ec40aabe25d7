"""A specification that is tuned to win gains no rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
import math
from pathlib import Path

import numpy as np
import pytest

from learndock.rkme.specification import MAX_MAGNITUDE, Fidelity, Specification
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.search import search
from tests.support.search import filled_index, question

Tuning = Callable[[list[Specification]], Specification]
OWNERS = 20


def around(place: np.ndarray, generator: np.random.Generator) -> Specification:
    return Specification(place + generator.normal(scale=0.6, size=(16, len(place))), np.full(16, 1 / 16))


def repeated(honest: list[Specification]) -> Specification:
    """One owner's atoms, again and again."""
    return Specification(np.tile(honest[3].atoms, (20, 1)), np.full(320, 1 / 320))


def pooled(honest: list[Specification]) -> Specification:
    """Everybody's atoms."""
    return Specification(np.concatenate([one.atoms for one in honest]), np.full(16 * OWNERS, 1 / (16 * OWNERS)))


TUNED: dict[str, Tuning] = {
    "tiny values": lambda honest: Specification(np.full((5, 3), 1e-30), np.full(5, 0.2)),
    "huge values": lambda honest: Specification(np.full((5, 3), MAX_MAGNITUDE), np.full(5, 0.2)),
    "huge and opposite values": lambda honest: Specification(
        np.array([[MAX_MAGNITUDE] * 3, [-MAX_MAGNITUDE] * 3]), np.full(2, 0.5)
    ),
    "one atom in the middle": lambda honest: Specification(
        np.mean([one.atoms.mean(axis=0) for one in honest], axis=0)[None], np.ones(1)
    ),
    "everybody's atoms": pooled,
    "one weight for all, the rest nothing": lambda honest: Specification(
        pooled(honest).atoms, np.eye(1, 16 * OWNERS)[0]
    ),
    "wide": lambda honest: Specification(np.random.default_rng(5).normal(scale=4.0, size=(64, 3)), np.full(64, 1 / 64)),
}


def answers(index: DockIndex, task: Specification) -> list[tuple[int, float]]:
    found = search(
        index,
        question(task, top_k=30, members=1),
        None,
        engine=LocalEngine(),
        time_left=lambda: math.inf,
        exhaustive_below=0,
    ).singles
    return [(int(single.entry.learnware_id), single.mmd2) for single in found]


@pytest.fixture(scope="module")
def honest() -> list[Specification]:
    generator = np.random.default_rng(0)
    return [around(place, generator) for place in generator.normal(scale=4.0, size=(OWNERS, 3))]


@pytest.fixture(scope="module")
def tasks(honest: list[Specification]) -> list[Specification]:
    """A user for each owner."""
    generator = np.random.default_rng(1)
    return [around(one.atoms.mean(axis=0), generator) for one in honest]


@pytest.mark.parametrize("name", TUNED)
def test_a_tuned_specification_is_nobodys_best(
    tmp_path: Path, honest: list[Specification], tasks: list[Specification], name: str
) -> None:
    index = filled_index(tmp_path, [*honest, TUNED[name](honest)]).current
    for number, task in enumerate(tasks, start=1):
        assert answers(index, task)[0][0] == number


def test_duplicated_atoms_change_no_distance(
    tmp_path: Path, honest: list[Specification], tasks: list[Specification]
) -> None:
    index = filled_index(tmp_path, [*honest, repeated(honest)]).current
    for task in tasks:
        distances = dict(answers(index, task))
        assert distances[OWNERS + 1] == distances[4]


def test_claims_change_no_rank(tmp_path: Path, honest: list[Specification], tasks: list[Specification]) -> None:
    gammas = [1e-12, 1e12, 0.0, math.inf, -1.0] * 4
    claiming = [
        replace(one, fidelity=Fidelity(0.0, gamma), row_count=10**9) for one, gamma in zip(honest, gammas, strict=True)
    ]
    plain = filled_index(tmp_path / "a", honest).current
    claimed = filled_index(tmp_path / "b", claiming).current
    for task in tasks:
        assert answers(claimed, task) == answers(plain, task)


def test_many_tuned_specifications_do_not_bend_the_kernel(
    tmp_path: Path, honest: list[Specification], tasks: list[Specification]
) -> None:
    """A fifth of the island tries to make everything look alike by its own widths."""
    wide = [TUNED["huge and opposite values"](honest)] * 2 + [TUNED["tiny values"](honest)] * 2
    index = filled_index(tmp_path, [*honest, *wide]).current
    for number, task in enumerate(tasks, start=1):
        assert answers(index, task)[0][0] == number
