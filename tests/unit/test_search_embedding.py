"""Profiles, embeddings and their bounds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from learndock.rkme.discrepancy import mmd2
from learndock.rkme.specification import Fidelity, Specification
from services.search import background, profile
from services.search.embedding import embed, lower_bounds, place
from services.search.entry import Entry
from tests.support.search import TIME, learnware, specification


def fitted(specifications: list[Specification], number: int = 1) -> profile.Profile:
    return profile.fit(specifications, number=number, fit_time=TIME)


def scaled(under: profile.Profile, one: Specification) -> Specification:
    return Specification(atoms=under.scaler.transform(one.atoms), weights=one.weights)


def split(one: Specification) -> Specification:
    """The same distribution with its first atom in two halves."""
    weights = np.concatenate([[one.weights[0] / 2], one.weights[1:], [one.weights[0] / 2]])
    return replace(one, atoms=np.concatenate([one.atoms, one.atoms[:1]]), weights=weights)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 12))
def test_the_distance_is_no_smaller_than_its_bound(seed: int, dimension: int, landmarks: int) -> None:
    generator = np.random.default_rng(seed)
    specifications = [specification(generator, dimension=dimension) for _ in range(6)]
    full = fitted(specifications)
    few = full.landmarks[:landmarks]
    under = replace(full, landmarks=few, projection=profile._inverse_root(full.kernel.gram(few, few)))
    rows = np.stack([embed(under, one)[0] for one in specifications]).astype(np.float32)
    distances = [mmd2(scaled(under, one), scaled(under, specifications[0]), under.kernel) for one in specifications]
    assert (lower_bounds(rows, rows[0]) <= np.array(distances) + 1e-6).all()


def test_all_atoms_as_landmarks_leave_nothing_over() -> None:
    generator = np.random.default_rng(0)
    specifications = [specification(generator) for _ in range(5)]
    under = fitted(specifications)
    for one in specifications:
        row, norm = embed(under, one)
        assert row[-1] < 1e-2
        assert row @ row == pytest.approx(norm)


def test_the_same_specifications_give_the_same_profile() -> None:
    generator = np.random.default_rng(0)
    specifications = [specification(generator, dimension=3, atoms=60) for _ in range(10)]
    one, other = fitted(specifications), fitted(specifications)
    assert one.kernel == other.kernel
    assert np.array_equal(one.landmarks, other.landmarks)
    assert len(one.landmarks) == profile.MAX_LANDMARKS


def test_what_an_uploader_says_of_kernels_changes_nothing() -> None:
    generator = np.random.default_rng(0)
    honest = [specification(generator) for _ in range(5)]
    games = [
        replace(one, fidelity=Fidelity(0.0, gamma)) for one, gamma in zip(honest, (1e-9, 1e9, 0, 1, -1), strict=True)
    ]
    assert fitted(honest).kernel == fitted(games).kernel


def test_the_own_median_counts_weights_not_atoms() -> None:
    one = specification(np.random.default_rng(0), atoms=7)
    twice = split(one)
    assert profile.own_median(twice.atoms, twice.weights) == pytest.approx(profile.own_median(one.atoms, one.weights))
    far = np.concatenate([one.atoms, [[1e5, 1e5]]])
    assert profile.own_median(far, np.append(one.weights, 0.0)) == pytest.approx(
        profile.own_median(one.atoms, one.weights)
    )
    assert profile.own_median(one.atoms[:1], np.ones(1)) == 0.0


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e5])
def test_one_learnware_of_one_atom_makes_a_profile(spread: float) -> None:
    single = Specification(atoms=np.array([[spread, 0.0]]), weights=np.ones(1))
    row, norm = embed(fitted([single]), single)
    assert np.isfinite(row).all()
    assert norm == pytest.approx(1.0)


def test_the_percentile_is_the_share_of_pairs_that_are_farther_apart() -> None:
    generator = np.random.default_rng(0)
    specifications = [specification(generator) for _ in range(12)]
    under = fitted(specifications)
    entries = [Entry(learnware(number), one, number) for number, one in enumerate(specifications, start=1)]
    ordinary = background.fit([place(under, entry) for entry in entries])
    pairs = [
        mmd2(scaled(under, specifications[i]), scaled(under, specifications[j]), under.kernel)
        for i in range(12)
        for j in range(i)
    ]
    for value in (0.0, float(np.median(pairs)) + 1e-4, 3.0):
        share = 100 * np.mean(np.array(pairs) > value)
        assert ordinary.percentile(value) == pytest.approx(share, abs=2.0)
