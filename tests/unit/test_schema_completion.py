"""Completions and distances on shared columns, against sums written out."""

from __future__ import annotations

import numpy as np

from learndock.rkme.specification import Specification
from learndock.schema.assignment import Assignment, Match
from learndock.schema.comparison import SharedSpace, share_of
from learndock.schema.completion import Completion
from learndock.schema.units import Conversion

GENERATOR = np.random.default_rng(5)


def specification(rows: np.ndarray) -> Specification:
    weights = GENERATOR.dirichlet(np.ones(len(rows)))
    return Specification(rows.astype(np.float32), weights)


def test_probabilities_are_those_of_the_mixture() -> None:
    made = specification(GENERATOR.standard_normal((12, 3)))
    completion = Completion.fit(made, np.array([0, 2]))
    row = GENERATOR.standard_normal((1, 2))
    scaled = (row - completion.scaler.center) / completion.scaler.scale
    atoms = (completion.atoms[:, [0, 2]] - completion.scaler.center) / completion.scaler.scale
    expected = made.weights * np.exp(-completion.gamma * ((atoms - scaled) ** 2).sum(axis=1))
    np.testing.assert_allclose(completion.probabilities(row)[0], expected / expected.sum(), atol=1e-9)


def test_the_likeliest_completions_keep_what_is_known_and_come_in_order() -> None:
    made = specification(GENERATOR.standard_normal((12, 3)))
    completion = Completion.fit(made, np.array([1]))
    rows = GENERATOR.standard_normal((4, 1))
    completed, probabilities = completion.likeliest(rows, 5)
    assert completed.shape == (4, 5, 3)
    np.testing.assert_array_equal(completed[:, :, 1], np.repeat(rows, 5, axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (np.diff(probabilities, axis=1) <= 0).all()


def test_a_column_that_follows_another_is_found_again() -> None:
    x = GENERATOR.uniform(-2, 2, size=(100, 1))
    made = Specification(np.hstack([x, x**2]).astype(np.float32), np.full(100, 0.01))
    completed, probabilities = Completion.fit(made, np.array([0])).likeliest(np.array([[1.0], [-1.5]]), 5)
    expected = (probabilities[:, :, None] * completed).sum(axis=1)[:, 1]
    np.testing.assert_allclose(expected, [1.0, 2.25], atol=0.3)


def test_atoms_of_no_weight_and_of_one_point_do_no_harm() -> None:
    atoms = np.vstack([np.ones((3, 2)), [[1e6, 1e6]]]).astype(np.float32)
    made = Specification(atoms, np.array([0.5, 0.3, 0.2, 0.0]))
    completed, _ = Completion.fit(made, np.array([0])).likeliest(np.array([[7.0]]), 5)
    np.testing.assert_array_equal(completed[0, :, 1], 1.0)


def test_the_distance_on_shared_columns_is_that_of_the_marginals() -> None:
    learnware = specification(GENERATOR.standard_normal((8, 3)))
    task = specification(GENERATOR.standard_normal((6, 2)) * 2 + 1)
    assignment = Assignment((Match(1, 0, 0.9, Conversion(2.0, -1.0)), Match(0, 2, 0.7)), 2, 3)
    space = SharedSpace.fit(assignment, [learnware], np.random.default_rng(0))
    own, other = space.of_task(task), space.of_learnware(learnware)

    x = np.column_stack([task.atoms[:, 1] * 2.0 - 1.0, task.atoms[:, 0]]).astype(float)
    y = learnware.atoms[:, [0, 2]].astype(float)
    points = (np.vstack([x, y]) - space.scaler.center) / space.scaler.scale
    signed = np.concatenate([task.weights, -learnware.weights])
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    kernel = np.mean([np.exp(-gamma * squares) for gamma in space.kernel.gammas], axis=0)
    expected = signed @ kernel @ signed
    np.testing.assert_allclose(space.mmd2(own, other), expected, rtol=1e-6)

    shared = 2 * 1.6 / 5
    assert np.isclose(share_of(assignment), shared)
    np.testing.assert_allclose(space.distance(own, other), shared * expected + (1 - shared) * 2 * own.norm, rtol=1e-6)
