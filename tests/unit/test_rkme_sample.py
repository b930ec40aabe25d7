"""Sampling and describing specifications."""

from __future__ import annotations

import numpy as np
import pytest

from learndock.errors import InvalidInput
from learndock.rkme.describe import describe
from learndock.rkme.discrepancy import mmd2, pair_kernel
from learndock.rkme.fit import build_specification
from learndock.rkme.sample import herd
from learndock.rkme.specification import Specification

ROWS = np.concatenate(
    [np.random.default_rng(0).normal(size=(700, 3)), np.random.default_rng(1).normal(size=(300, 3)) + 6]
)
ROWS[:, 1] *= 1000
SPECIFICATION = build_specification(ROWS)


def uniform(points: np.ndarray) -> Specification:
    return Specification(points, np.full(len(points), 1 / len(points)))


def test_herded_points_follow_the_specification_better_than_random_ones() -> None:
    kernel, scaler = pair_kernel(SPECIFICATION, uniform(ROWS[:1000]))

    def distance(points: np.ndarray) -> float:
        target = Specification(scaler.transform(SPECIFICATION.atoms), SPECIFICATION.weights)
        return mmd2(uniform(scaler.transform(points)), target, kernel)

    points = herd(SPECIFICATION, 50, np.random.default_rng(0))
    assert points.shape == (50, 3)
    assert points.dtype == np.float32
    assert len(np.unique(points, axis=0)) == 50
    random = np.mean([distance(np.random.default_rng(seed).choice(ROWS, 50)) for seed in range(10)])
    assert distance(points) < random / 3


def test_the_first_points_of_a_mixture_show_both_parts() -> None:
    far = herd(SPECIFICATION, 10, np.random.default_rng(0))[:, 0] > 3
    assert 2 <= far.sum() <= 4


def test_a_generator_decides() -> None:
    first, again, other = (herd(SPECIFICATION, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_single_atom_is_repeated() -> None:
    points = herd(Specification(np.array([[1.0, 2.0]]), np.ones(1)), 3, np.random.default_rng(0))
    assert points.tolist() == [[1.0, 2.0]] * 3


@pytest.mark.parametrize(("dimension", "count"), [(3, 0), (3, 10_001), (16_384, 257)])
def test_counts_out_of_bounds(dimension: int, count: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        herd(uniform(np.zeros((2, dimension))), count, np.random.default_rng(0))
    assert caught.value.field == "count"


def test_a_description_tells_moments() -> None:
    description = describe(Specification(np.array([[0.0, 1.0], [4.0, 1.0]]), np.array([0.25, 0.75])))
    assert (description.atom_count, description.dimension) == (2, 2)
    assert description.effective_atom_count == pytest.approx(1.6)
    assert description.column_means == pytest.approx([3.0, 1.0])
    assert description.column_deviations == pytest.approx([np.sqrt(3.0), 0.0])
