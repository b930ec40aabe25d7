"""Kernels, scaling and discrepancies against double loops."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality
from learndock.rkme.discrepancy import compare, inner_product, mmd2
from learndock.rkme.kernel import Kernel, RobustScaler, facing, median_gamma, squared_distances, widened
from learndock.rkme.objective import EmbeddingObjective
from learndock.rkme.specification import Specification


def looped_inner_product(a: Specification, b: Specification, gamma: float) -> float:
    """Double loop over atoms, in plain Python numbers."""
    total = 0.0
    for x, alpha in zip(a.atoms.tolist(), a.weights.tolist(), strict=True):
        for z, beta in zip(b.atoms.tolist(), b.weights.tolist(), strict=True):
            total += alpha * beta * exp(-gamma * sum((p - q) ** 2 for p, q in zip(x, z, strict=True)))
    return total


def random_specification(seed: int, count: int = 5, dimension: int = 3, **parts: object) -> Specification:
    rng = np.random.default_rng(seed)
    return Specification(rng.normal(size=(count, dimension)), rng.dirichlet(np.ones(count)), **parts)  # type: ignore[arg-type]


def test_mmd2_is_what_a_double_loop_gives() -> None:
    a, b = random_specification(1), random_specification(2, count=7)
    kernel = Kernel((0.3,))
    expected = looped_inner_product(a, a, 0.3) - 2 * looped_inner_product(a, b, 0.3) + looped_inner_product(b, b, 0.3)
    assert inner_product(a, b, kernel) == pytest.approx(looped_inner_product(a, b, 0.3))
    assert mmd2(a, b, kernel) == pytest.approx(expected)
    assert mmd2(a, a, kernel) == pytest.approx(0, abs=1e-12)


def test_distances_far_from_the_origin_keep_their_digits() -> None:
    near = np.array([[0.0, 0.0], [1e-3, 0.0]])
    assert squared_distances(near + 1e6, near + 1e6)[0, 1] == pytest.approx(1e-6, rel=1e-3)


def test_scaling_survives_constant_mostly_zero_and_outlying_columns() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack(
        [np.full(200, 7.0), np.where(rng.random(200) < 0.1, 5.0, 0.0), np.append(rng.normal(size=199), 1e6)], axis=1
    )
    scaler = RobustScaler.fit(rows)
    scaled = scaler.transform(rows)
    assert np.isfinite(scaled).all()
    assert not scaled[:, 0].any()
    assert scaled[:, 1].std() == pytest.approx(1, rel=0.2)
    assert scaled[:-1, 2].std() == pytest.approx(1, rel=0.2)
    assert scaler.inverse(scaled) == pytest.approx(rows)


def test_a_levelled_scaler_does_not_blow_up_what_hardly_varies() -> None:
    rng = np.random.default_rng(0)
    rows = np.stack([rng.normal(size=200), rng.normal(size=200), 1e-5 * rng.normal(size=200), np.ones(200)], axis=1)
    scaler = RobustScaler.levelled(rows)
    assert scaler.scale[:2] == pytest.approx(RobustScaler.fit(rows).scale[:2])
    assert scaler.transform(rows)[:, 2].std() < 1e-3
    assert not scaler.transform(rows)[:, 3].any()


@pytest.mark.parametrize("gammas", [(0.3,), (0.1, 0.4, 0.8), (0.5, 0.2, 0.8), (0.01, 0.7, 64.0), (1e-3, 1e3)])
def test_squared_exponentials_are_exponentials(gammas: tuple[float, ...]) -> None:
    d2 = np.random.default_rng(0).gamma(2.0, 3.0, size=(300, 301))
    expected = sum(np.exp(-gamma * d2) for gamma in gammas) / len(gammas)
    assert Kernel(gammas).of_squared_distances(d2) == pytest.approx(expected, rel=1e-13)


def test_median_rule() -> None:
    rows = np.array([[0.0], [1.0], [3.0]])
    assert median_gamma(rows, generator=np.random.default_rng(0)) == pytest.approx(1 / 4)
    assert median_gamma(np.zeros((5, 2)), generator=np.random.default_rng(0)) == 1.0


def test_the_objective_and_its_gradient_are_those_of_differences() -> None:
    rng = np.random.default_rng(3)
    rows, atoms = rng.normal(size=(300, 4)).astype(np.float32), rng.normal(size=(6, 4))
    weights = rng.dirichlet(np.ones(6))
    objective = EmbeddingObjective(rows, 0.2)
    gradient = objective.gradient(atoms, weights)
    kernel = Kernel((0.2,))

    def value(z: np.ndarray, w: np.ndarray) -> float:
        return float(w @ kernel.gram(z, z) @ w - 2 * w @ kernel.gram(z, rows).mean(axis=1))

    assert gradient.value == pytest.approx(value(atoms, weights), abs=1e-7)
    step = 1e-5
    for index in np.ndindex(atoms.shape):
        shift = np.zeros_like(atoms)
        shift[index] = step
        slope = (value(atoms + shift, weights) - value(atoms - shift, weights)) / (2 * step)
        assert gradient.atoms[index] == pytest.approx(slope, abs=1e-6)
    for k in range(len(weights)):
        shift = np.zeros_like(weights)
        shift[k] = step
        slope = (value(atoms, weights + shift) - value(atoms, weights - shift)) / (2 * step)
        assert gradient.weights[k] == pytest.approx(slope, abs=1e-6)


def test_compare_does_not_depend_on_units_and_tells_apart() -> None:
    a, b, far = random_specification(1), random_specification(2), random_specification(3)
    far = Specification(far.atoms + 10, far.weights)
    units = 1000.0
    scaled = [Specification(s.atoms * units, s.weights) for s in (a, b)]
    assert compare(*scaled) == pytest.approx(compare(a, b), rel=1e-4)
    assert compare(a, a) == pytest.approx(0, abs=1e-12)
    assert compare(a, far) > compare(a, b)


@pytest.mark.parametrize(
    ("parts", "dimension", "field"),
    [
        ({"modality": Modality.TEXT}, 3, "specification.modality"),
        ({"encoder": "other"}, 3, "specification.encoder"),
        ({"encoder_revision": "2"}, 3, "specification.encoder_revision"),
        ({}, 4, "specification.dimension"),
    ],
)
def test_other_spaces_cannot_be_compared(parts: dict[str, object], dimension: int, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        compare(random_specification(1), random_specification(2, dimension=dimension, **parts))
    assert caught.value.reason is Reason.NOT_COMPARABLE
    assert caught.value.field == field


@pytest.mark.parametrize("gammas", [(0.5,), (0.1, 0.4, 0.7), (0.02, 0.08)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(0, 3), (7, 5), (900, 100)])
def test_sums_of_kernel_values_are_those_of_the_matrix(
    gammas: tuple[float, ...], dtype: type[np.float64 | np.float32], shape: tuple[int, int]
) -> None:
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=(count, 4)) for count in shape)
    weights = generator.dirichlet(np.ones(shape[1]))
    sides = widened(x, y[0]), facing(widened(y, y[0])), weights
    found = Kernel(gammas).sums(*(side.astype(dtype) for side in sides))
    assert found.dtype == dtype
    expected = Kernel(gammas).gram(x, y) @ weights
    assert found == pytest.approx(expected, rel=1e-13 if dtype is np.float64 else 1e-5)
