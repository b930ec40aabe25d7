"""Whether two specifications differ by more than chance."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.rkme.discrepancy import compare, pair_kernel, permutation_test
from learndock.rkme.fit import build_specification
from learndock.rkme.specification import Specification


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_p_value_is_that_of_all_divisions() -> None:
    a, b = (Specification(rng(seed).normal(size=(4, 2)) + shift, np.full(4, 0.25)) for seed, shift in ((0, 0), (1, 1)))
    kernel, scaler = pair_kernel(a, b)
    atoms = scaler.transform(np.concatenate([a.atoms, b.atoms]))
    gram = kernel.gram(atoms, atoms)
    every = []
    for chosen in combinations(range(8), 4):
        signed = np.full(8, -0.25)
        signed[list(chosen)] = 0.25
        every.append(signed @ gram @ signed)
    expected = np.mean(np.array(every) >= compare(a, b) - 1e-12)
    found = permutation_test(a, b, rng(), permutations=4000)
    assert found.mmd2 == pytest.approx(compare(a, b))
    assert found.p_value == pytest.approx(expected, abs=0.03)


def test_parts_of_one_distribution_are_alike_and_others_are_not() -> None:
    rows = rng().normal(size=(1200, 5))
    one, same, other = (build_specification(part) for part in (rows[:600], rows[600:], rows[600:] * 1.5 + 0.5))
    assert permutation_test(one, same, rng()).p_value > 0.05
    assert permutation_test(one, other, rng()).p_value < 0.01


def test_of_itself() -> None:
    one = build_specification(rng().normal(size=(100, 3)))
    found = permutation_test(one, one, rng(), permutations=99)
    assert found.mmd2 == pytest.approx(0, abs=1e-12)
    assert found.p_value == 1.0


def test_other_spaces_are_refused() -> None:
    a, b = (Specification(np.zeros((2, d)), np.full(2, 0.5)) for d in (2, 3))
    with pytest.raises(InvalidInput) as caught:
        permutation_test(a, b, rng())
    assert caught.value.reason is Reason.NOT_COMPARABLE
