"""Estimates in single precision are never farther off than they say, and settling finds the exact best."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from learndock.rkme.specification import Specification
from services.search import scoring
from services.search.entry import Placed
from services.search.scoring import Task
from services.search.screening import Screen
from services.search.tally import Tally
from tests.support.search import filled_index, specification

COUNT = 60


def island(folder: Path, seed: int, *, dimension: int, scale: float, shift: float) -> tuple[Task, list[Placed]]:
    """A task and learnwares whose columns lie around `shift` and spread by `scale`."""
    generator = np.random.default_rng(seed)

    def moved() -> Specification:
        made = specification(generator, dimension=dimension, atoms=int(generator.integers(1, 40)))
        return Specification(atoms=shift + scale * made.atoms, weights=made.weights)

    index = filled_index(folder, [moved() for _ in range(COUNT)]).current
    only = next(iter(index.islands.values()))
    return Task.under(only.profile, moved()), list(only.living())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dimension", [1, 7, 60])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 0.0), (1.0, 1000.0), (1e4, -1e4)])
def test_estimates_are_within_their_errors(
    tmp_path: Path, seed: int, dimension: int, scale: float, shift: float
) -> None:
    task, learnwares = island(tmp_path, seed, dimension=dimension, scale=scale, shift=shift)
    estimates = Screen(task).look(learnwares)
    exact = scoring.mmd2(task, learnwares)
    assert (np.abs(estimates.values - exact) <= estimates.errors).all()
    assert np.median(estimates.errors) < 0.05


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 0.0), (1.0, 1000.0), (1e4, -1e4)])
def test_exact_products_are_those_of_the_kernel_s_own_matrix(tmp_path: Path, scale: float, shift: float) -> None:
    task, learnwares = island(tmp_path, 0, dimension=7, scale=scale, shift=shift)
    scaler, kernel = task.profile.scaler, task.profile.kernel
    parts = [(scaler.transform(one.specification.atoms), one.specification.weights) for one in learnwares]
    expected = [weights @ kernel.gram(atoms, task.atoms) @ task.weights for atoms, weights in parts]
    assert scoring.inner_products(task, learnwares) == pytest.approx(expected, abs=1e-13)
    gram, target = scoring.gram_and_target(task, learnwares[:6])
    assert target == pytest.approx(expected[:6], abs=1e-13)
    for i, (atoms, weights) in enumerate(parts[:6]):
        for j, (others, shares) in enumerate(parts[:6]):
            assert gram[i, j] == pytest.approx(weights @ kernel.gram(atoms, others) @ shares, abs=1e-13)


def test_what_overflows_single_precision_is_computed_exactly(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    ordinary = [specification(generator) for _ in range(20)]
    narrow = [Specification(atoms=1e-18 * one.atoms, weights=one.weights) for one in ordinary]
    huge = Specification(atoms=np.full((2, 2), 1e6), weights=np.array([0.5, 0.5]))
    index = filled_index(tmp_path, [*narrow, huge]).current
    only = next(iter(index.islands.values()))
    learnwares, task = list(only.living()), Task.under(only.profile, narrow[0])
    estimates = Screen(task).look(learnwares)
    assert np.isfinite(estimates.values).all()
    assert (np.abs(estimates.values - scoring.mmd2(task, learnwares)) <= estimates.errors).all()
    assert 0.0 in estimates.errors


@pytest.mark.parametrize("k", [1, 5, COUNT, 2 * COUNT])
def test_settled_best_are_exact_and_in_order(tmp_path: Path, k: int) -> None:
    task, learnwares = island(tmp_path, 0, dimension=7, scale=1.0, shift=0.0)
    tally = Tally(task, k, exactly=False)
    for start in range(0, COUNT, 7):
        tally.add(learnwares[start : start + 7])
        assert tally.least_kth <= tally.most_kth
    assert tally.settle(lambda: math.inf)
    exact = sorted(
        zip(scoring.mmd2(task, learnwares).tolist(), (one.entry.learnware_id for one in learnwares), strict=True)
    )
    assert [one.order for one in tally.ranked()[:k]] == exact[:k]


def test_settling_ends_with_the_time(tmp_path: Path) -> None:
    task, learnwares = island(tmp_path, 0, dimension=7, scale=1.0, shift=0.0)
    tally = Tally(task, 5, exactly=False)
    farthest_first = [learnwares[position] for position in np.argsort(-scoring.mmd2(task, learnwares))]
    tally.add(farthest_first[:5])
    tally.add(farthest_first[5:])
    assert not tally.settle(lambda: 0.0)
    assert len(tally.ranked()) == COUNT
