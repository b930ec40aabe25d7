"""Mixtures against enumeration and against the unrestricted optimum."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.rkme.mixture import (
    MIN_WEIGHT,
    PARSIMONY,
    duality_gap,
    forward_members,
    heaviest,
    pairwise_frank_wolfe,
    residual,
    sparse_mixture,
)
from learndock.rkme.simplex import simplex_weights

Matrix = NDArray[np.float64]


def problem(seed: int, candidates: int = 8, dimension: int = 5, parts: int = 3) -> tuple[Matrix, Matrix]:
    """Candidates' embeddings, and a task that is nearly a mixture of some of them."""
    generator = np.random.default_rng(seed)
    embeddings = generator.normal(size=(candidates, dimension))
    weights = np.zeros(candidates)
    weights[generator.choice(candidates, size=parts, replace=False)] = generator.dirichlet(np.ones(parts))
    return embeddings, weights @ embeddings + 0.05 * generator.normal(size=dimension)


def objective(gram: Matrix, target: Matrix, weights: Matrix) -> float:
    return weights @ gram @ weights - 2 * target @ weights


@pytest.mark.parametrize("seed", range(20))
def test_frank_wolfe_reaches_the_optimum(seed: int) -> None:
    embeddings, task = problem(seed)
    gram, target = embeddings @ embeddings.T, embeddings @ task
    found = pairwise_frank_wolfe(gram, target)
    best = objective(gram, target, simplex_weights(gram, target))
    assert objective(gram, target, found) <= best + 1e-6
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1.0)


def test_the_duality_gap_bounds_what_is_left_to_gain() -> None:
    embeddings, task = problem(0)
    gram, target = embeddings @ embeddings.T, embeddings @ task
    best = objective(gram, target, simplex_weights(gram, target))
    generator = np.random.default_rng(1)
    for _ in range(50):
        weights = generator.dirichlet(np.ones(len(target)))
        assert objective(gram, target, weights) - best <= duality_gap(gram, target, weights) + 1e-9


def enumerated(embeddings: Matrix, task: Matrix, sizes: range) -> float:
    """Least distance of any mixture of so many."""
    gram, target = embeddings @ embeddings.T, embeddings @ task
    return min(
        float(np.sum((simplex_weights(gram[np.ix_(m, m)], target[list(m)]) @ embeddings[list(m)] - task) ** 2))
        for size in sizes
        for m in combinations(range(len(target)), size)
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_sparse_mixture_is_no_worse_than_the_best_pair(seed: int, max_members: int) -> None:
    embeddings, task = problem(seed)
    gram, target, norm = embeddings @ embeddings.T, embeddings @ task, float(task @ task)
    found = sparse_mixture(gram, target, norm, max_members=max_members)
    assert len(found.members) <= max_members
    assert found.weights.min() >= MIN_WEIGHT
    assert found.weights.sum() == pytest.approx(1.0)
    assert list(found.weights) == sorted(found.weights, reverse=True)
    reached = np.sum((found.weights @ embeddings[found.members] - task) ** 2)
    assert found.mmd2 == pytest.approx(reached, abs=1e-9)
    # A pair in which one weighs almost nothing is not taken.
    assert found.mmd2 <= PARSIMONY * enumerated(embeddings, task, range(1, min(2, max_members) + 1)) + 0.05


def test_most_sparse_mixtures_are_nearly_the_best_of_all_so_small_ones() -> None:
    # The paths and exchanges are no enumeration: they may miss the very best set of three.
    ratios = []
    for seed in range(40):
        embeddings, task = problem(seed, dimension=20)
        gram, target, norm = embeddings @ embeddings.T, embeddings @ task, float(task @ task)
        found = sparse_mixture(gram, target, norm, max_members=3)
        ratios.append(found.mmd2 / enumerated(embeddings, task, range(1, 4)))
    assert np.median(ratios) <= PARSIMONY
    assert np.quantile(ratios, 0.9) <= 1.5


def test_of_two_equally_good_mixtures_the_one_with_fewer_members_is_taken() -> None:
    corners = np.eye(4)
    halves = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    embeddings = np.concatenate([corners, halves])
    task = np.full(4, 0.25)
    found = sparse_mixture(embeddings @ embeddings.T, embeddings @ task, float(task @ task), max_members=5)
    assert set(found.members) == {4, 5}


def test_one_candidate_is_a_mixture_of_one() -> None:
    found = sparse_mixture(np.ones((1, 1)), np.array([0.5]), 1.0, max_members=5)
    assert (list(found.members), list(found.weights)) == ([0], [1.0])
    assert found.mmd2 == pytest.approx(1.0)
    assert forward_members(np.ones((1, 1)), np.array([0.5]), 5) == []


def test_the_best_pair_is_found_among_all() -> None:
    embeddings, task = problem(3, candidates=12, parts=2)
    gram, target = embeddings @ embeddings.T, embeddings @ task

    def value(pair: tuple[int, ...]) -> float:
        return objective(
            gram[np.ix_(pair, pair)], target[list(pair)], simplex_weights(gram[np.ix_(pair, pair)], target[list(pair)])
        )

    best = min(combinations(range(12), 2), key=value)
    assert set(forward_members(gram, target, 2)[0]) == set(best)


def test_the_residual_points_to_what_is_missing() -> None:
    task = np.array([0.5, 0.5, 0.0])
    lacking = residual(np.array([[1.0, 0.0, 0.0], [0.9, 0.0, 0.1]]), task)
    assert int(np.argmax(np.eye(3) @ lacking)) == 1


def test_heaviest_leaves_out_what_weighs_nothing() -> None:
    assert list(heaviest(np.array([0.0, 0.3, 0.7, 0.0]), 3)) == [2, 1]
