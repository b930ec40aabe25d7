"""Kernel sums by torch equal those of the processor, so that a graphics card changes nothing that matters.

The same code runs here on torch's processor device; on a card where there is one.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
import torch

from learndock.rkme.graphics_card import DeviceMoments, card_for
from learndock.rkme.kernel import RobustScaler, median_gamma
from learndock.rkme.objective import EmbeddingObjective, Float32Rows, gaussian_gram
from learndock.rkme.reduced_set import Reduction
from learndock.rkme.simplex import simplex_weights

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(scope="module")
def rows() -> Float32Rows:
    digits = load_digits().data
    return RobustScaler.fit(digits).transform(digits).astype(np.float32)


@pytest.fixture(scope="module")
def gamma(rows: Float32Rows) -> float:
    return median_gamma(rows, generator=np.random.default_rng(0))


@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_is_the_same(rows: Float32Rows, gamma: float, device: str) -> None:
    atoms, weights = rows[:50].astype(np.float64) + 0.1, np.full(50, 0.02)
    here = EmbeddingObjective(rows, gamma).gradient(atoms, weights)
    there = EmbeddingObjective(rows, gamma, DeviceMoments(rows, gamma, device)).gradient(atoms, weights)
    assert there.value == pytest.approx(here.value, abs=1e-6)
    np.testing.assert_allclose(there.atoms, here.atoms, atol=1e-6)
    np.testing.assert_allclose(there.weights, here.weights, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
def test_the_discrepancy_reached_is_the_same_to_1e_5(rows: Float32Rows, gamma: float, device: str) -> None:
    def reached(where: str | None) -> float:
        atoms = Reduction(gamma, 30, device=where).reduce(rows, 60, np.random.default_rng(0))
        objective = EmbeddingObjective(rows, gamma)
        weights = simplex_weights(gaussian_gram(atoms, gamma), objective.target(atoms))
        return objective.gradient(atoms, weights).value

    assert reached(device) == pytest.approx(reached(None), abs=1e-5)


def test_small_work_stays_on_the_processor(rows: Float32Rows) -> None:
    assert card_for(rows[:100], 8) is None
