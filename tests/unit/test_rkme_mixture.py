"""Mixtures against enumeration and against the unrestricted optimum."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.rkme import mixture
from learndock.rkme.mixture import (
    MIN_WEIGHT,
    PARSIMONY,
    MixtureWeights,
    differences_of,
    duality_gap,
    nearest_mixture,
    pruned_mixture,
    runner_up,
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


def differences(embeddings: Matrix, task: Matrix) -> Matrix:
    return (embeddings - task) @ (embeddings - task).T


def distance(embeddings: Matrix, task: Matrix, weights: Matrix) -> float:
    return float(np.sum((weights @ embeddings - task) ** 2))


def sparse(embeddings: Matrix, task: Matrix, max_members: int) -> MixtureWeights:
    """A sparse mixture, begun with who weighs most in that of many."""
    matrix = differences(embeddings, task)
    heaviest = np.argsort(-nearest_mixture(matrix), kind="stable")[:max_members]
    return sparse_mixture(matrix, heaviest, max_members=max_members)


def test_differences_are_those_of_a_gram_matrix_too() -> None:
    embeddings, task = problem(0)
    found = differences_of(embeddings @ embeddings.T, embeddings @ task, float(task @ task))
    assert found == pytest.approx(differences(embeddings, task))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("candidates", "dimension"), [(8, 5), (60, 12)])
def test_the_nearest_mixture_is_the_optimum(seed: int, candidates: int, dimension: int) -> None:
    embeddings, task = problem(seed, candidates, dimension)
    found = nearest_mixture(differences(embeddings, task))
    best = simplex_weights(embeddings @ embeddings.T, embeddings @ task)
    assert distance(embeddings, task, found) <= distance(embeddings, task, best) + 1e-6
    assert found.min() >= 0
    assert found.sum() == pytest.approx(1.0)


def test_the_duality_gap_bounds_what_is_left_to_gain() -> None:
    embeddings, task = problem(0)
    matrix = differences(embeddings, task)
    best = distance(embeddings, task, nearest_mixture(matrix))
    generator = np.random.default_rng(1)
    for _ in range(50):
        weights = generator.dirichlet(np.ones(len(embeddings)))
        here = distance(embeddings, task, weights)
        gap = duality_gap(matrix, MixtureWeights(np.arange(len(embeddings)), weights, here))
        assert here - best <= gap + 1e-9


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [0, 1, 3])
def test_one_more_member_is_told_as_if_solved_anew(seed: int, size: int) -> None:
    embeddings, task = problem(seed, candidates=9, dimension=12)
    matrix = differences(embeddings, task)
    sets = np.array(list(combinations(range(9), size)), dtype=np.int64).reshape(-1 if size else 1, size)
    found = mixture._joined(matrix, sets).where_all_weigh(MIN_WEIGHT)
    for row, chosen in enumerate(sets.tolist()):
        for joining in range(9):
            together = [*chosen, joining]
            raw = np.linalg.pinv(matrix[np.ix_(together, together)]).sum(axis=1)
            weights = raw / raw.sum()
            if joining in chosen or weights.min() < MIN_WEIGHT:
                assert found[row, joining] == np.inf
            else:
                assert found[row, joining] == pytest.approx(distance(embeddings[together], task, weights), rel=1e-6)


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
    found = sparse(embeddings, task, max_members)
    assert len(found.members) <= max_members
    assert found.weights.min() >= MIN_WEIGHT
    assert found.weights.sum() == pytest.approx(1.0)
    assert list(found.weights) == sorted(found.weights, reverse=True)
    reached = np.sum((found.weights @ embeddings[found.members] - task) ** 2)
    assert found.mmd2 == pytest.approx(reached, abs=1e-9)
    # A pair in which one weighs almost nothing is not taken.
    assert found.mmd2 <= enumerated(embeddings, task, range(1, min(2, max_members) + 1)) + 0.05


@pytest.mark.parametrize("dimension", [5, 20])
def test_sparse_mixtures_are_the_best_of_all_so_small_ones(dimension: int) -> None:
    """One of the 82 problems has a best set of which no member is in the one found: two exchanges do not reach it."""
    ratios = []
    for seed in (*range(40), 731):
        embeddings, task = problem(seed, dimension=dimension)
        gram, target = embeddings @ embeddings.T, embeddings @ task
        best = min(
            float(np.sum((weights @ embeddings[list(m)] - task) ** 2))
            for size in range(1, 4)
            for m in combinations(range(len(target)), size)
            if (weights := simplex_weights(gram[np.ix_(m, m)], target[list(m)])).min() >= MIN_WEIGHT
        )
        ratios.append((sparse(embeddings, task, 3).mmd2 - 1e-9) / best)
    assert sorted(ratios)[-2] <= 1.001
    assert max(ratios) <= 1.15


def test_exchanges_lead_to_the_best_from_whatever_it_is_begun_with() -> None:
    reached = 0
    for seed in range(20):
        embeddings, task = problem(seed, candidates=9, dimension=20)
        matrix, best = differences(embeddings, task), sparse(embeddings, task, 3)
        found = sparse_mixture(matrix, np.random.default_rng(seed).choice(9, 3, replace=False), max_members=3)
        for _ in range(2):
            before, found = found, sparse_mixture(matrix, found.members, max_members=3)
            assert found.mmd2 <= before.mmd2 + 1e-12
        reached += found.mmd2 <= 1.01 * best.mmd2
    assert reached >= 16


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_runner_up_is_in_the_best_set_that_lacks_two_members(size: int) -> None:
    for seed in range(20):
        gram = differences(*problem(seed, candidates=9, dimension=12))
        members = np.random.default_rng(seed).choice(9, size, replace=False)
        others = [one for one in range(9) if one not in members]
        sets = [(*kept, other) for kept in combinations(members, max(1, size - 2)) for other in others]
        distances = [best_of_any_sign(gram[np.ix_(one, one)]) for one in sets]
        assert runner_up(gram, members) == sets[int(np.argmin(distances))][-1]


def test_without_others_there_is_no_runner_up() -> None:
    assert runner_up(differences(*problem(0, candidates=3)), np.arange(3)) is None


def best_of_any_sign(gram: Matrix) -> float:
    """Distance of the best mixture of a set whose weights all are positive, otherwise infinite."""
    raw = np.linalg.solve(gram, np.ones(len(gram)))
    return float(1.0 / raw.sum()) if raw.min() > 0 and raw.sum() > 0 else np.inf


def test_equal_candidates_are_no_trouble() -> None:
    embeddings, task = problem(0)
    twice = np.concatenate([embeddings, embeddings])
    found = sparse(twice, task, 5)
    assert len({member % len(embeddings) for member in found.members.tolist()}) == len(found.members)
    optimum = nearest_mixture(differences(twice, task))
    best = simplex_weights(embeddings @ embeddings.T, embeddings @ task)
    assert distance(twice, task, optimum) <= distance(embeddings, task, best) + 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_who_is_missed_least_leaves_first_while_that_costs_little(seed: int) -> None:
    embeddings, task = problem(seed, candidates=7, dimension=12)
    matrix = differences(embeddings, task)
    found = pruned_mixture(matrix, max_members=6, parsimony=PARSIMONY)
    assert found.weights.min() >= MIN_WEIGHT
    assert found.mmd2 == pytest.approx(distance(embeddings[found.members], task, found.weights))
    more = pruned_mixture(matrix, max_members=6, parsimony=1.0)
    assert found.mmd2 <= PARSIMONY * more.mmd2 + 1e-6
    fewer = [
        sparse_mixture(matrix[np.ix_(left, left)], np.arange(len(left)), max_members=len(left)).mmd2
        for left in (np.delete(found.members, place) for place in range(len(found.members)))
        if len(left)
    ]
    assert not fewer or min(fewer) > PARSIMONY * more.mmd2


def test_of_two_equally_good_mixtures_the_one_with_fewer_members_is_taken() -> None:
    corners = np.eye(4)
    halves = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    matrix = differences(np.concatenate([corners, halves]), np.full(4, 0.25))
    assert set(pruned_mixture(matrix, max_members=5, parsimony=PARSIMONY).members) == {4, 5}


def test_one_candidate_is_a_mixture_of_one() -> None:
    matrix = np.ones((1, 1))
    for found in (
        sparse_mixture(matrix, np.arange(1), max_members=5),
        pruned_mixture(matrix, max_members=5, parsimony=PARSIMONY),
    ):
        assert (list(found.members), list(found.weights)) == ([0], [1.0])
        assert found.mmd2 == pytest.approx(1.0)


def test_candidates_that_do_not_differ_from_the_task_are_a_mixture_too() -> None:
    found = sparse_mixture(np.zeros((3, 3)), np.arange(3), max_members=2)
    assert found.mmd2 == 0.0
    assert found.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_pair_is_found_among_all(seed: int) -> None:
    embeddings, task = problem(seed, candidates=12, parts=2)
    found = sparse(embeddings, task, 2)
    assert found.mmd2 <= 1.001 * enumerated(embeddings, task, range(1, 3)) + 1e-9
