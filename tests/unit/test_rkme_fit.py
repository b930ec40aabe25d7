"""Building specifications: fidelity against what is simpler, determinism, and inputs of every kind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace
from learndock.rkme import fidelity
from learndock.rkme.fit import BuildOptions, build_specification
from learndock.rkme.kernel import Kernel, RobustScaler
from learndock.rkme.rows import CLIP, Rows, ScaledRows
from learndock.rkme.simplex import simplex_weights
from learndock.rkme.specification import Fidelity

DIGITS: NDArray[np.float64] = load_digits().data
NORMAL = np.random.default_rng(0).normal(size=(400, 5))


def scaled_digits() -> NDArray[np.float64]:
    return np.clip(RobustScaler.fit(DIGITS).transform(DIGITS), -CLIP, CLIP)


def brute_force_mmd2(
    atoms: NDArray[np.float64], weights: NDArray[np.float64], rows: NDArray[np.float64], gamma: float
) -> float:
    kernel = Kernel((gamma,))
    own = weights @ kernel.gram(atoms, atoms) @ weights
    return float(own - 2 * (weights @ kernel.gram(atoms, rows)).mean() + kernel.gram(rows, rows).mean())


def test_the_reported_fidelity_is_the_mmd2_to_all_rows() -> None:
    specification = build_specification(DIGITS)
    assert specification.fidelity is not None
    atoms = RobustScaler.fit(DIGITS).transform(specification.atoms)
    expected = brute_force_mmd2(atoms, specification.weights, scaled_digits(), specification.fidelity.gamma)
    assert specification.fidelity.mmd2 == pytest.approx(expected, rel=1e-2)


def test_it_is_far_nearer_than_random_rows_and_than_weighted_centroids() -> None:
    specification = build_specification(DIGITS)
    assert specification.fidelity is not None
    rows, gamma, count = scaled_digits(), specification.fidelity.gamma, specification.atom_count
    kernel = Kernel((gamma,))
    chosen = rows[np.random.default_rng(0).choice(len(rows), count, replace=False)]
    random = brute_force_mmd2(chosen, np.full(count, 1 / count), rows, gamma)
    centres = KMeans(count, n_init=1, random_state=0).fit(rows).cluster_centers_
    weights = simplex_weights(kernel.gram(centres, centres), kernel.gram(centres, rows).mean(axis=1))
    centroids = brute_force_mmd2(centres, weights, rows, gamma)
    assert specification.fidelity.mmd2 < random / 10
    assert specification.fidelity.mmd2 < centroids / 5


def test_more_rounds_come_nearer() -> None:
    few, many = (build_specification(DIGITS, options=BuildOptions(iterations=n)).fidelity for n in (3, 60))
    assert few is not None
    assert many is not None
    assert many.mmd2 < few.mmd2


def test_the_estimate_for_many_rows_agrees_with_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    rows = Rows.of(rng.normal(size=(3000, 4)))
    scaled = ScaledRows(rows, RobustScaler.fit(rng.normal(size=(3000, 4))))
    atoms, weights = rng.normal(size=(30, 4)), np.full(30, 1 / 30)

    def measured() -> Fidelity:
        return fidelity.measure(scaled, atoms, weights, 0.2, np.random.default_rng(2))

    exact = measured()
    monkeypatch.setattr(fidelity, "_EXACT_ROWS", 0)
    assert measured().mmd2 == pytest.approx(exact.mmd2, rel=0.2)
    assert measured() != exact


DIGEST = """
import hashlib, numpy as np
from learndock.rkme.fit import build_specification
from sklearn.datasets import load_digits
s = build_specification(load_digits().data)
print(hashlib.sha256(s.atoms.tobytes() + s.weights.tobytes() + repr((s.fidelity, s.privacy)).encode()).hexdigest())
"""


def digest_with_threads(count: int) -> str:
    threads = {name: str(count) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], env=os.environ | threads, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_the_same_bytes_on_any_number_of_threads() -> None:
    assert len({digest_with_threads(count) for count in (1, 8)}) == 1


def test_the_same_bytes_whatever_the_layout_and_a_different_seed_differs() -> None:
    def digest(rows: ArrayLike, seed: int = 0) -> str:
        specification = build_specification(rows, options=BuildOptions(seed=seed))
        return hashlib.sha256(specification.atoms.tobytes() + specification.weights.tobytes()).hexdigest()

    assert digest(NORMAL) == digest(np.asfortranarray(NORMAL)) == digest(NORMAL.tolist())
    assert digest(NORMAL) != digest(NORMAL, seed=1)


def test_default_numbers_of_atoms() -> None:
    asked = {40: 8, 400: 20, 4000: 100}
    options = BuildOptions()
    assert {rows: options.atoms_for(rows, 5) for rows in asked} == asked
    assert build_specification(NORMAL, options=BuildOptions(atom_count=3)).atom_count == 3


def test_items_of_more_axes_are_flattened_and_their_shape_kept() -> None:
    specification = build_specification(DIGITS[:200].reshape(-1, 8, 8))
    assert specification.item_shape == (8, 8)
    assert specification.dimension == 64
    flat = build_specification(DIGITS[:200])
    assert flat.item_shape == (64,)
    assert (flat.atoms == specification.atoms).all()


def test_constant_columns_stay_what_they_are() -> None:
    rows = np.concatenate([NORMAL, np.full((400, 1), 7.5)], axis=1)
    assert (build_specification(rows).atoms[:, -1] == 7.5).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i2", "i8", "u1", "?"])
def test_real_numbers_of_any_type(dtype: str) -> None:
    rows = (NORMAL * 3 + 20).astype(dtype) if dtype != "?" else NORMAL > 0
    assert build_specification(rows).row_count == 400


def test_the_columns_of_a_frame_are_named() -> None:
    names = ["age", "height", "weight", "pulse", "sleep"]
    specification = build_specification(pd.DataFrame(NORMAL.astype(object), columns=names))
    assert specification.input == FeatureSpace(5, dict(enumerate(names)))
    other = FeatureSpace(5, {0: "years"})
    assert build_specification(pd.DataFrame(NORMAL, columns=names), input=other).input == other


def test_a_frame_that_holds_text_names_the_column() -> None:
    values = NORMAL.astype(object)
    values[3, 1] = "secret"
    with pytest.raises(InvalidInput, match="'height' holds text") as caught:
        build_specification(pd.DataFrame(values, columns=["age", "height", "weight", "pulse", "sleep"]))
    assert "secret" not in str(caught.value)


def test_tensors_are_rows() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(NORMAL, requires_grad=True)
    assert (build_specification(tensor).atoms == build_specification(NORMAL).atoms).all()


def with_value(value: float) -> NDArray[np.float64]:
    rows = NORMAL.copy()
    rows[7, 2] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "reason", "message"),
    [
        (np.zeros(50), Reason.SHAPE_MISMATCH, r"\[n, d\]"),
        (np.zeros((50, 0)), Reason.SHAPE_MISMATCH, "columns, not 0"),
        (np.zeros((50, 20_000)), Reason.SHAPE_MISMATCH, "columns, not 20000"),
        ([[1.0, 2.0], [3.0]], Reason.SHAPE_MISMATCH, "one array"),
        (np.array([["a", "b"]] * 50), Reason.FIELD_INVALID, "real numbers"),
        (NORMAL.astype(complex), Reason.FIELD_INVALID, "real numbers"),
        (with_value(np.nan), Reason.NOT_FINITE, "Column 2"),
        (with_value(-np.inf), Reason.NOT_FINITE, "Column 2"),
        (with_value(1e7), Reason.FIELD_INVALID, "Column 2 exceeds"),
        (NORMAL[:39], Reason.TOO_FEW_ROWS, "39 rows"),
        (NORMAL[:1], Reason.TOO_FEW_ROWS, "two rows"),
        (NORMAL[:0], Reason.TOO_FEW_ROWS, "two rows"),
        (np.ones((50, 3)), Reason.PRIVACY_AT_RISK, "the same"),
    ],
)
def test_rows_that_cannot_be_summarised(rows: ArrayLike, reason: Reason, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        build_specification(rows)
    assert caught.value.reason is reason
    assert caught.value.field == "rows"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"atom_count": 0}, "options.atom_count"),
        ({"atom_count": 1025}, "options.atom_count"),
        ({"atom_count": 401}, "options.atom_count"),
        ({"iterations": 0}, "options.iterations"),
        ({"iterations": 501}, "options.iterations"),
        ({"seed": -1}, "options.seed"),
    ],
)
def test_options_out_of_bounds(options: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        build_specification(NORMAL, options=BuildOptions(**options))  # type: ignore[arg-type]
    assert caught.value.field == field


def test_an_input_that_describes_other_columns_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        build_specification(NORMAL, input=FeatureSpace(4))
    assert caught.value.field == "input.dimension"


@pytest.mark.parametrize("count", [2, 3, 10, 39])
def test_few_rows_take_a_flag(count: int) -> None:
    specification = build_specification(NORMAL[:count], options=BuildOptions(allow_few_rows=True))
    assert 1 <= specification.atom_count <= 8


def test_progress_is_told_and_may_stop_the_build() -> None:
    told: list[tuple[str, float]] = []
    build_specification(NORMAL, progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert len(told) > 30

    def stop(stage: str, share: float) -> None:
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_specification(NORMAL, progress=stop)


def test_the_descent_ends_early_when_nothing_is_left_to_gain() -> None:
    rounds: list[float] = []

    def progress(stage: str, share: float) -> None:
        if stage == "reduce":
            rounds.append(share)

    rows = np.random.default_rng(0).normal(size=(3000, 2))
    build_specification(rows, options=BuildOptions(atom_count=8, iterations=500), progress=progress)
    assert 0 < len(rounds) < 400
