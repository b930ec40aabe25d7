"""Differentially private specifications: sensitivity, noise, distances, usefulness."""

from __future__ import annotations

from itertools import product
from math import exp, log, sqrt
from random import Random

import numpy as np
import pytest
from scipy.stats import norm

from learndock.errors import InvalidInput
from learndock.rkme.columns import TableSchema
from learndock.rkme.gaussian_mechanism import PrivacyBudget, sensitivity_of_mean
from learndock.rkme.kernel import Kernel
from learndock.rkme.private import PrivateSpecification, specify_privately
from learndock.rkme.private_file import is_private, read_private, write_private
from learndock.rkme.random_features import FeatureMap

BUDGET = PrivacyBudget(1.0, 1e-5)


def unit_map(dimension: int, frequency_count: int = 512) -> FeatureMap:
    return FeatureMap.of_ranges([(-4.0, 4.0)] * dimension, frequency_count=frequency_count)


def test_replacing_one_row_moves_the_mean_by_no_more_than_the_sensitivity() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(12, 3)) * 3
    others = np.concatenate([generator.normal(size=(20, 3)) * 5, [[1e6] * 3, [-1e6] * 3]])
    features, weights = unit_map(3, 64), np.full(12, 1 / 12)
    before = features.mean(rows, weights)
    moves = []
    for position, other in product(range(12), others):
        changed = rows.copy()
        changed[position] = other
        moves.append(np.linalg.norm(features.mean(changed, weights) - before))
    assert 0.5 * sensitivity_of_mean(12) < max(moves) <= sensitivity_of_mean(12)


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 1.0, 4.0, 50.0])
@pytest.mark.parametrize("delta", [1e-10, 1e-5, 0.1])
def test_noise_is_the_least_that_keeps_the_promise(epsilon: float, delta: float) -> None:
    def promised(noise: float) -> float:
        """Largest P(S) - e^epsilon P'(S): the event that the likelihood ratio of two unit-apart means is high."""
        threshold = 0.5 - epsilon * noise**2  # likelihood ratio of N(0, s) to N(1, s) is above e^epsilon below this
        return float(norm.cdf(threshold / noise) - exp(epsilon + norm.logcdf((threshold - 1) / noise)))

    noise = PrivacyBudget(epsilon, delta).noise_for(1.0)
    assert promised(noise) == pytest.approx(delta, rel=1e-5)
    assert promised(0.99 * noise) > delta


def test_noise_is_below_the_classical_mechanisms_where_that_holds() -> None:
    noise = PrivacyBudget(0.5, 1e-5).noise_for(1.0)
    classical = sqrt(2 * log(1.25 / 1e-5)) / 0.5
    assert 0.5 * classical < noise < classical


def test_noise_grows_with_the_sensitivity() -> None:
    assert BUDGET.noise_for(0.02) == pytest.approx(0.02 * BUDGET.noise_for(1.0))


def test_features_have_length_one_and_the_kernels_inner_products() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 2))
    features = unit_map(2, 4096)
    vectors = features.features(rows)
    scaled = (rows - features.center) / features.scale
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(30))
    assert vectors @ vectors.T == pytest.approx(Kernel(features.gammas).gram(scaled, scaled), abs=0.06)


def test_features_are_the_same_on_every_machine() -> None:
    found = unit_map(2, 2).features(np.array([[1.0, 2.0]]))[0]
    assert found == pytest.approx([0.5001121889852812, -0.6926893480021018, 0.4998877858363317, -0.14206149078628924])


def test_squared_distances_are_unbiased() -> None:
    generator = np.random.default_rng(2)
    rows, atoms = generator.normal(size=(1000, 2)), generator.normal(size=(5, 2)) + 0.5
    weights, features, noise = np.full(5, 0.2), unit_map(2, 64), Random(3)
    difference = features.mean(rows, np.full(1000, 1e-3)) - features.mean(atoms, weights)
    true = float(difference @ difference)
    released = [specify_privately(rows, budget=BUDGET, feature_map=features, random=noise) for _ in range(2000)]
    found = np.array([one.squared_distance(atoms, weights) for one in released])
    expected = released[0].expected_error(true)
    assert found.mean() == pytest.approx(true, abs=4 * expected / sqrt(2000))
    assert found.std() == pytest.approx(expected, rel=0.1)
    assert released[0].bias > 4 * expected / sqrt(2000)  # without its subtraction, the mean would be off


def test_nearest_of_several_is_right_with_10000_rows_at_epsilon_1() -> None:
    generator, noise, features = np.random.default_rng(4), Random(5), unit_map(5)
    centers = generator.normal(size=(12, 5))
    learnwares = [center + 0.8 * generator.normal(size=(100, 5)) for center in centers]
    for true, center in enumerate(centers):
        rows = center + 0.8 * generator.normal(size=(10_000, 5))
        private = specify_privately(rows, budget=BUDGET, feature_map=features, random=noise)
        found = [private.squared_distance(atoms, np.full(100, 0.01)) for atoms in learnwares]
        assert int(np.argmin(found)) == true


def test_noise_differs_from_release_to_release() -> None:
    rows, features = np.zeros((100, 1)), unit_map(1, 8)
    first, second = (specify_privately(rows, budget=BUDGET, feature_map=features) for _ in range(2))
    assert not np.array_equal(first.mean, second.mean)


@pytest.mark.parametrize(
    ("rows", "budget", "field"),
    [
        (np.zeros((100, 3)), BUDGET, "private.ranges"),
        (np.zeros((100, 2)), PrivacyBudget(1.0, 0.01), "private.delta"),
        (np.full((100, 2), np.nan), BUDGET, "rows"),
    ],
)
def test_what_does_not_fit_is_refused(rows: np.ndarray, budget: PrivacyBudget, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        specify_privately(rows, budget=budget, feature_map=unit_map(2))
    assert caught.value.field == field


def test_gaps_are_refused_since_they_are_filled_with_a_median() -> None:
    with pytest.raises(InvalidInput) as caught:
        specify_privately(
            np.zeros((100, 2)), budget=BUDGET, feature_map=unit_map(2), schema=TableSchema(missing=("a",))
        )
    assert caught.value.field == "private.schema"


@pytest.mark.parametrize(("epsilon", "delta"), [(0, 1e-5), (np.nan, 1e-5), (101, 1e-5), (1, 0), (1, 1), (1, np.nan)])
def test_budgets_out_of_bounds_are_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(InvalidInput):
        PrivacyBudget(epsilon, delta)


@pytest.mark.parametrize("ranges", [[], [(1, 0)], [(0, np.inf)], [1, 2], [("a", "b")], [(0, 1, 2)]])
def test_ranges_that_are_none_are_refused(ranges: list[object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        FeatureMap.of_ranges(ranges)
    assert caught.value.field == "private.ranges"


def test_a_mean_of_another_width_is_refused() -> None:
    with pytest.raises(InvalidInput):
        PrivateSpecification(unit_map(2), np.zeros(3), BUDGET, 100)


def test_a_file_keeps_everything() -> None:
    made = specify_privately(np.zeros((200, 2)), budget=PrivacyBudget(0.7, 1e-4), feature_map=unit_map(2, 8))
    written = write_private(made)
    read = read_private(written)
    assert is_private(written)
    assert (read.budget, read.row_count, read.feature_map.gammas) == (made.budget, 200, made.feature_map.gammas)
    np.testing.assert_array_equal(read.mean, made.mean)
    np.testing.assert_array_equal(read.feature_map.scale, made.feature_map.scale)


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b'{"type": "PrivateSpecification"}', b'{"type": "PrivateSpecification", "features": {}}']
)
def test_a_file_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_private(content)
