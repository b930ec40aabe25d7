"""What may be published about single rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.datasets import load_digits

from learndock.errors import InvalidInput, Reason
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.kernel import RobustScaler, squared_distances
from learndock.rkme.privacy import MIN_DISTANCE_RATIO, PrivacyGate, membership_auc
from learndock.rkme.reduced_set import MIN_ROWS_PER_ATOM, crowded
from learndock.rkme.rows import CLIP, Rows, ScaledRows
from learndock.rkme.specification import MAX_MEMBERSHIP_AUC, Specification

RNG = np.random.default_rng(4)
DATA: dict[str, NDArray[np.generic]] = {
    "digits": load_digits().data[:900],
    "one dense column": RNG.normal(size=(2000, 1)),
    "repeated rows": RNG.integers(0, 3, size=(500, 2)),
    "yes or no": RNG.integers(0, 2, size=(100, 1)),
    "heavy tails": RNG.standard_cauchy(size=(500, 3)),
    "wide": RNG.normal(size=(60, 300)),
    "single rows far away": np.concatenate([RNG.normal(size=(100, 3)), RNG.normal(size=(6, 3)) * 50]),
    "just enough rows": RNG.normal(size=(40, 4)),
}


def looped_distance(atom: NDArray[np.float64], rows: NDArray[np.float64]) -> float:
    """Distance to the nearest row; to the nearest elsewhere where at least five rows are at the atom itself."""
    distances = np.linalg.norm(rows - atom, axis=1)
    here = distances < 1e-6
    return float(distances[~here].min() if here.sum() >= 5 else distances.min())


def looped_distance_ratio(specification: Specification, rows: NDArray[np.generic]) -> float:
    """Smallest atom-to-row distance over the median nearest-neighbour distance, by brute force over all rows."""
    scaler = RobustScaler.fit(rows.astype(float))
    scaled = np.clip(scaler.transform(rows.astype(float)), -CLIP, CLIP)
    atoms = np.clip(scaler.transform(specification.atoms), -CLIP, CLIP)
    to_rows = min(looped_distance(atom, scaled) for atom in atoms)
    nearest = []
    for row in scaled:
        distances = np.linalg.norm(scaled - row, axis=1)
        nearest.append(distances[distances > 1e-6].min())
    return float(to_rows / np.median(nearest))


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("atom_count", [None, 40])
def test_no_atom_is_near_to_a_row_and_each_stands_for_several(name: str, atom_count: int | None) -> None:
    rows = DATA[name]
    specification = build_specification(rows, options=BuildOptions(atom_count=atom_count))
    report = specification.privacy
    assert report is not None
    assert report.min_distance_ratio >= MIN_DISTANCE_RATIO
    assert looped_distance_ratio(specification, rows) >= MIN_DISTANCE_RATIO * 0.9  # medians of a sample and of all
    assert report.min_rows_per_atom >= MIN_ROWS_PER_ATOM
    holders = np.array([np.isclose(rows, atom, rtol=1e-6, atol=1e-6).all(axis=1).sum() for atom in specification.atoms])
    assert not ((holders > 0) & (holders < 5)).any()
    assert report.shared_atoms == (holders >= 5).sum()


def test_categories_that_many_share_may_be_atoms() -> None:
    generator = np.random.default_rng(0)
    chosen = np.concatenate([np.repeat(np.arange(6), [900, 500, 300, 200, 100, 96]), [6, 6, 6, 6]])
    rows = np.eye(7)[generator.permutation(chosen)]
    specification = build_specification(rows)
    report = specification.privacy
    assert report is not None
    assert report.shared_atoms >= 5
    assert specification.fidelity is not None
    assert specification.fidelity.mmd2 < 1e-4
    secret = np.eye(7, dtype=np.float32)[6]
    assert not any(np.array_equal(atom, secret) for atom in specification.atoms)


def test_digits_hide_their_members() -> None:
    report = build_specification(load_digits().data).privacy
    assert report is not None
    assert report.membership_auc is not None
    assert 0.45 < report.membership_auc < 0.60


def test_the_attack_tells_published_rows_apart() -> None:
    sample = np.random.default_rng(0).normal(size=(400, 10)).astype(np.float32)
    assert membership_auc(sample, 100, lambda rows, count: rows.astype(np.float64)) == 1.0
    assert membership_auc(sample[:39], 10, lambda rows, count: rows.astype(np.float64)) is None

    def independent(rows: NDArray[np.float32], count: int) -> NDArray[np.float64]:
        return np.random.default_rng(1).normal(size=(count, 10))

    assert membership_auc(sample, 100, independent) == pytest.approx(0.5, abs=0.1)


def gate_of(rows: NDArray[np.float64]) -> PrivacyGate:
    scaled = ScaledRows(Rows.of(rows), RobustScaler.fit(rows))
    return PrivacyGate.of(scaled, scaled.transform(rows).astype(np.float32))


def test_rows_that_are_offered_as_atoms_are_moved_but_not_far() -> None:
    rows = np.random.default_rng(5).normal(size=(300, 3))
    gate = gate_of(rows)
    offered = gate.rows.transform(rows[:20])
    kept, moved = gate.keep_distance(offered, np.random.default_rng(0))
    least = MIN_DISTANCE_RATIO * gate.neighbour_distance
    assert moved == 20
    assert np.sqrt(squared_distances(kept, gate.rows.transform(rows)).min()) >= least
    assert np.linalg.norm(kept - offered, axis=1).max() < 20 * least


def test_rows_all_the_same_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        gate_of(np.ones((50, 2)))
    assert caught.value.reason is Reason.PRIVACY_AT_RISK


def test_atoms_with_few_rows_are_dropped_the_emptiest_first() -> None:
    rows = np.concatenate([np.zeros(10), np.full(4, 1.0), np.full(2, 1.1), np.full(7, 5.0)])[:, None]
    atoms = np.array([[0.0], [1.0], [1.1], [5.0], [9.0]])
    assert crowded(squared_distances(atoms, rows)).tolist() == [0, 1, 3]
    assert crowded(squared_distances(atoms, rows[:3])).tolist() == [0]


def test_fewer_atoms_come_out_where_an_attack_on_more_would_succeed() -> None:
    rows = np.random.default_rng(0).exponential(size=(1500, 10))
    built = build_specification(rows, options=BuildOptions(atom_count=300))
    assert built.privacy is not None
    assert built.privacy.membership_auc is not None
    assert built.privacy.membership_auc <= MAX_MEMBERSHIP_AUC
    assert built.atom_count < 100
