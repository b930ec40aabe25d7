"""Simplex weights against brute force and the conditions of Karush, Kuhn and Tucker."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import Kernel
from learndock.rkme.simplex import simplex_weights


def objective(gram: NDArray[np.float64], target: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(weights @ gram @ weights - 2 * target @ weights)


def brute_force(gram: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Least objective over every face of the simplex, each solved by its own linear system."""
    count, best = len(target), np.inf
    for size in range(1, count + 1):
        for face in combinations(range(count), size):
            index = list(face)
            system = np.block(
                [[gram[np.ix_(index, index)], np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]]
            )
            solved = np.linalg.lstsq(system, np.append(target[index], 1.0), rcond=None)[0][:size]
            if solved.min() >= -1e-12:
                weights = np.zeros(count)
                weights[index] = solved
                best = min(best, objective(gram, target, weights))
    return best


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 6), gamma=st.floats(0.01, 10))
def test_it_finds_what_brute_force_finds(seed: int, count: int, gamma: float) -> None:
    rng = np.random.default_rng(seed)
    kernel = Kernel((gamma,))
    atoms, rows = rng.normal(size=(count, 3)), rng.normal(size=(50, 3))
    gram, target = kernel.gram(atoms, atoms), kernel.gram(atoms, rows).mean(axis=1)
    weights = simplex_weights(gram, target)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    assert objective(gram, target, weights) == pytest.approx(brute_force(gram, target), abs=1e-9)


@pytest.mark.parametrize("count", [20, 100])
def test_no_coordinate_could_do_better(count: int) -> None:
    rng = np.random.default_rng(1)
    kernel = Kernel((0.2,))
    atoms, rows = rng.normal(size=(count, 5)), rng.normal(size=(500, 5))
    gram, target = kernel.gram(atoms, atoms), kernel.gram(atoms, rows).mean(axis=1)
    weights = simplex_weights(gram, target)
    gradient = 2 * (gram @ weights - target)
    multiplier = gradient[weights > 1e-9].mean()
    assert gradient[weights > 1e-9] == pytest.approx(multiplier, abs=1e-7)
    assert gradient.min() >= multiplier - 1e-7


def test_equal_atoms_are_no_trouble() -> None:
    weights = simplex_weights(np.ones((5, 5)), np.full(5, 0.3))
    assert weights.sum() == pytest.approx(1)


def test_rounding_below_zero_is_no_trouble() -> None:
    rng = np.random.default_rng(2)
    atoms = np.repeat(rng.normal(size=(10, 2)), 4, axis=0)
    gram = Kernel((0.01,)).gram(atoms, atoms).astype(np.float32)
    weights = simplex_weights(gram, gram[0])
    assert objective(gram.astype(float), gram[0].astype(float), weights) == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_the_unit_does_not_matter(unit: float) -> None:
    gram = np.array([[1.0, 0.2], [0.2, 1.0]]) * unit
    assert simplex_weights(gram, np.array([0.9, 0.3]) * unit) == pytest.approx([0.875, 0.125])


def test_a_zero_matrix_leaves_the_best_vertex() -> None:
    assert simplex_weights(np.zeros((3, 3)), np.array([1.0, 3.0, 2.0])) == pytest.approx([0, 1, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("gram", "target", "reason"),
    [
        (np.eye(2), np.ones(3), Reason.SHAPE_MISMATCH),
        (np.empty((0, 0)), np.empty(0), Reason.SHAPE_MISMATCH),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), np.ones(2), Reason.NOT_FINITE),
        (np.eye(2), np.array([1.0, np.inf]), Reason.NOT_FINITE),
        (np.array([[1.0, 5.0], [5.0, 1.0]]), np.ones(2), Reason.FIELD_INVALID),
    ],
)
def test_what_is_no_programme_is_refused(
    gram: NDArray[np.float64], target: NDArray[np.float64], reason: Reason
) -> None:
    with pytest.raises(InvalidInput) as caught:
        simplex_weights(gram, target)
    assert caught.value.reason is reason
