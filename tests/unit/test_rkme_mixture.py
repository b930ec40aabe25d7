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
    best_mixtures,
    duality_gap,
    heaviest,
    nearest_mixture,
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
@pytest.mark.parametrize(("candidates", "dimension"), [(8, 5), (60, 12)])
@pytest.mark.parametrize("start", [(), (0, 3, 5)])
def test_the_nearest_mixture_is_the_optimum(seed: int, candidates: int, dimension: int, start: tuple[int, ...]) -> None:
    embeddings, task = problem(seed, candidates, dimension)
    gram, target = embeddings @ embeddings.T, embeddings @ task
    found = nearest_mixture(gram, target, start=start)
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
        gap = duality_gap(gram, target, np.arange(len(target)), weights)
        assert objective(gram, target, weights) - best <= gap + 1e-9


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


@pytest.mark.parametrize("dimension", [5, 20])
def test_sparse_mixtures_are_the_best_of_all_so_small_ones_but_for_parsimony(dimension: int) -> None:
    for seed in (*range(40), 731):
        embeddings, task = problem(seed, dimension=dimension)
        gram, target, norm = embeddings @ embeddings.T, embeddings @ task, float(task @ task)
        found = sparse_mixture(gram, target, norm, max_members=3)
        best = min(
            float(np.sum((weights @ embeddings[list(m)] - task) ** 2))
            for size in range(1, 4)
            for m in combinations(range(len(target)), size)
            if (weights := simplex_weights(gram[np.ix_(m, m)], target[list(m)])).min() >= MIN_WEIGHT
        )
        assert found.mmd2 <= PARSIMONY * best + 1e-9


def test_equal_candidates_are_no_trouble() -> None:
    embeddings, task = problem(0)
    twice = np.concatenate([embeddings, embeddings])
    gram, target = twice @ twice.T, twice @ task
    found = sparse_mixture(gram, target, float(task @ task), max_members=5)
    assert len({member % len(embeddings) for member in found.members.tolist()}) == len(found.members)
    optimum = nearest_mixture(gram, target)
    best = simplex_weights(embeddings @ embeddings.T, embeddings @ task)
    assert objective(gram, target, optimum) <= objective(gram[:8, :8], target[:8], best) + 1e-6


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


def test_the_best_pair_is_found_among_all() -> None:
    embeddings, task = problem(3, candidates=12, parts=2)
    gram, target = embeddings @ embeddings.T, embeddings @ task

    def value(pair: tuple[int, ...]) -> float:
        return objective(
            gram[np.ix_(pair, pair)], target[list(pair)], simplex_weights(gram[np.ix_(pair, pair)], target[list(pair)])
        )

    best = min(combinations(range(12), 2), key=value)
    assert set(best_mixtures(gram, target, 1.0, 2)[1].members) == set(best)


def test_heaviest_leaves_out_what_weighs_nothing() -> None:
    assert list(heaviest(np.array([0.0, 0.3, 0.7, 0.0]), 3)) == [2, 1]
