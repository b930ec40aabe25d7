"""When a mixture is offered, what it is made of, and what the caller is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
import math
from pathlib import Path

import numpy as np
import pytest

from learndock.rkme.mixture import MIN_WEIGHT
from learndock.rkme.simplex import simplex_weights
from learndock.rkme.specification import Fidelity, Specification
from services.search import bank, scoring
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.live import Change
from services.search.mixing import LEAST_GAIN, LEAST_SHARE
from services.search.scoring import Task
from services.search.search import Answer, search
from tests.support.search import empty_index, filled_index, learnware, question, specification

Place = Sequence[float]


def around(place: Place, generator: np.random.Generator, *, atoms: int = 12, spread: float = 0.6) -> Specification:
    """Atoms around a place."""
    return Specification(
        atoms=np.asarray(place) + generator.normal(scale=spread, size=(atoms, len(place))),
        weights=np.full(atoms, 1.0 / atoms),
    )


def together(parts: Sequence[Specification], shares: Sequence[float]) -> Specification:
    """What somebody has whose data comes from several owners."""
    return Specification(
        atoms=np.concatenate([part.atoms for part in parts]),
        weights=np.concatenate([share * part.weights for part, share in zip(parts, shares, strict=True)]),
    )


def ask(index: DockIndex, task: Specification, members: int = 5) -> Answer:
    return search(
        index,
        question(task, members=members),
        None,
        engine=LocalEngine(),
        time_left=lambda: math.inf,
        exhaustive_below=0,
    )


def members(answer: Answer) -> set[int]:
    assert answer.blend is not None
    return {int(member.placed.entry.learnware_id) for member in answer.blend.members}


@pytest.mark.parametrize("least", [1, 10**9], ids=["in cells", "one by one"])
def test_the_parts_of_a_task_are_found_among_many(tmp_path: Path, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "LEAST", least)
    generator = np.random.default_rng(0)
    places = generator.normal(scale=4.0, size=(300, 5))
    owners = [around(place, generator) for place in places]
    parts = [3, 77, 150, 299]
    task = together([owners[part - 1] for part in parts], [0.4, 0.3, 0.2, 0.1])
    answer = ask(filled_index(tmp_path, owners).current, task)
    assert members(answer) == set(parts)
    assert answer.blend is not None
    assert answer.blend.weights == pytest.approx((0.4, 0.3, 0.2, 0.1), abs=0.01)
    assert answer.blend.mmd2 < 1e-4
    assert answer.advice == "USE_MIXTURE"
    assert answer.blend_percentile >= answer.singles[0].percentile


@pytest.mark.parametrize("seed", range(3))
def test_each_part_or_a_near_relative_is_found(tmp_path: Path, seed: int) -> None:
    """Each part has many near relatives; what the landmarks leave over of all of them is much the same."""
    generator = np.random.default_rng(seed)
    form = around(np.zeros(12), generator, atoms=30, spread=1.0)
    places = np.repeat(generator.normal(scale=1.5, size=(60, 12)), 20, axis=0)
    places += generator.normal(scale=0.15, size=places.shape)
    owners = [Specification(form.atoms + place, form.weights) for place in places]
    parts = (1 + generator.choice(len(owners), 4, replace=False)).tolist()
    answer = ask(filled_index(tmp_path, owners).current, together([owners[part - 1] for part in parts], [0.25] * 4))
    assert answer.blend is not None
    assert answer.blend.mmd2 < 0.02 * answer.singles[0].mmd2
    assert {(part - 1) // 20 for part in parts} <= {(member - 1) // 20 for member in members(answer)}


@pytest.mark.parametrize("seed", range(10))
def test_a_mixture_is_nearly_the_best_that_enumeration_finds(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    owners = [specification(generator, atoms=6) for _ in range(8)]
    task = together([owners[0], owners[5], around([0.0, 0.0], generator)], [0.5, 0.4, 0.1])
    live = filled_index(tmp_path, owners)
    island = live.current.islands["table-d2"]
    learnwares = list(island.living())
    under = Task.under(island.profile, task)
    gram, target = scoring.gram_and_target(under, learnwares)

    def value(chosen: tuple[int, ...]) -> float:
        some = np.ix_(chosen, chosen)
        weights = simplex_weights(gram[some], target[list(chosen)])
        if weights.min() < MIN_WEIGHT:  # no mixture names a member for so little
            return math.inf
        return float(weights @ gram[some] @ weights - 2 * target[list(chosen)] @ weights + under.norm)

    best = min(value(chosen) for size in (1, 2, 3) for chosen in combinations(range(8), size))
    answer = ask(live.current, task, members=3)
    single = answer.singles[0].mmd2
    if answer.blend is None:
        assert single - best <= max(LEAST_GAIN, LEAST_SHARE * single) + 0.1 * best
    else:
        assert answer.blend.mmd2 <= 1.1 * best + 1e-6
        assert min(answer.blend.weights) >= 0.02
        assert len(answer.blend.members) <= 3


def test_where_a_single_fits_no_mixture_is_offered(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    owners = [around(place, generator) for place in generator.normal(scale=4.0, size=(20, 3))]
    answer = ask(filled_index(tmp_path, owners).current, owners[4])
    assert answer.blend is None
    assert answer.singles[0].mmd2 < 1e-8
    assert answer.advice is None


def test_a_mixture_within_the_task_s_own_error_is_not_offered(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    owners = [around(place, generator) for place in ((0, 0), (1.2, 0), (9, 9))]
    index = filled_index(tmp_path, owners).current
    task = together(owners[:2], [0.5, 0.5])
    clear = ask(index, task)
    assert members(clear) == {1, 2}
    gain = clear.singles[0].mmd2 - clear.blend.mmd2  # type: ignore[union-attr]
    assert members(ask(index, replace(task, fidelity=Fidelity(mmd2=0.9 * gain, gamma=1.0)))) == {1, 2}
    assert ask(index, replace(task, fidelity=Fidelity(mmd2=1.1 * gain, gamma=1.0))).blend is None


def test_no_claim_of_an_owner_forbids_mixtures(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    honest = [around(place, generator) for place in ((0, 0), (8, 0), (0, 8))]
    boasting = [replace(one, fidelity=Fidelity(mmd2=1e9, gamma=1e-9)) for one in honest]
    task = together(honest[:2], [0.5, 0.5])
    plain = ask(filled_index(tmp_path / "a", honest).current, task)
    claimed = ask(filled_index(tmp_path / "b", boasting).current, task)
    assert members(plain) == members(claimed) == {1, 2}
    assert [single.mmd2 for single in plain.singles] == [single.mmd2 for single in claimed.singles]


def test_a_task_far_from_all_is_told(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    owners = [around(place, generator) for place in generator.normal(scale=2.0, size=(12, 3))]
    index = filled_index(tmp_path, owners).current
    assert ask(index, around([90.0, 90.0, 90.0], generator)).advice == "LIKELY_NOTHING_FITS"
    assert ask(index, owners[0]).advice is None
    lonely = filled_index(tmp_path / "b", owners[:1]).current
    assert ask(lonely, around([90.0, 90.0, 90.0], generator)).advice == "LIKELY_NOTHING_FITS"
    assert ask(lonely, owners[0]).advice is None


def test_nobody_gains_a_rank_by_the_spread_of_what_is_claimed(tmp_path: Path) -> None:
    """A specification that sits in the middle of everything, or far away, does not become the nearest to all."""
    generator = np.random.default_rng(0)
    places = generator.normal(scale=4.0, size=(15, 3))
    owners = [around(place, generator) for place in places]
    middle = together(owners, [1 / 15] * 15)
    far = around([9e5, -9e5, 9e5], generator)
    index = filled_index(tmp_path, [*owners, middle, far]).current
    for number, place in enumerate(places, start=1):
        assert int(ask(index, around(place, generator), members=1).singles[0].entry.learnware_id) == number


@pytest.mark.parametrize(("tasks", "count"), [(("Regression", "Regression"), 2), (("Classification", "Regression"), 0)])
def test_only_answers_of_one_task_are_mixed(tmp_path: Path, tasks: Sequence[str], count: int) -> None:
    generator = np.random.default_rng(5)
    halves = [around(place, generator) for place in ((-4.0, 0.0), (4.0, 0.0))]
    live = empty_index(tmp_path)
    for number, (half, task) in enumerate(zip(halves, tasks, strict=True), start=1):
        live.apply(Change(number, learnware(number, task=task), searchable=True, specification=half))
    live.publish()
    answer = ask(live.current, together(halves, [0.5, 0.5]))
    assert len(answer.singles) == 2
    assert len(answer.blend.members if answer.blend else ()) == count
