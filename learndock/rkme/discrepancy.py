"""Inner products and squared maximum mean discrepancies of specifications."""

from __future__ import annotations

import numpy as np

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import Kernel, RobustScaler, median_gamma
from learndock.rkme.specification import Specification


def inner_product(a: Specification, b: Specification, kernel: Kernel) -> float:
    """<mu_a, mu_b> = sum_ij alpha_i beta_j k(x_i, z_j), in float64."""
    return float(a.weights @ kernel.gram(a.atoms, b.atoms) @ b.weights)


def mmd2(a: Specification, b: Specification, kernel: Kernel) -> float:
    """Squared maximum mean discrepancy |mu_a - mu_b|^2 in the kernel's space, >= 0.

    Raises
    ------
    InvalidInput
        The two live in different spaces.
    """
    check_comparable(a, b)
    d = inner_product(a, a, kernel) - 2.0 * inner_product(a, b, kernel) + inner_product(b, b, kernel)
    return max(0.0, d)


def compare(a: Specification, b: Specification) -> float:
    """Squared maximum mean discrepancy of a pair in the kernel of its own atoms, after levelled scaling; >= 0.

    Raises
    ------
    InvalidInput
        The two live in different spaces (NOT_COMPARABLE).
    """
    kernel, scaler = pair_kernel(a, b)
    atoms = scaler.transform(np.concatenate([a.atoms, b.atoms]))
    signed = np.concatenate([a.weights, -b.weights])
    return max(0.0, float(signed @ kernel.gram(atoms, atoms) @ signed))


def pair_kernel(a: Specification, b: Specification) -> tuple[Kernel, RobustScaler]:
    """Median-rule kernel and levelled scaler of a pair's own atoms, for comparing outside any dock."""
    check_comparable(a, b)
    atoms = np.concatenate([a.atoms, b.atoms])
    scaler = RobustScaler.levelled(atoms)
    gamma = median_gamma(scaler.transform(atoms), generator=np.random.default_rng(0))
    return Kernel((gamma,)), scaler


def check_comparable(a: Specification, b: Specification) -> None:
    """Raise `InvalidInput` (NOT_COMPARABLE) unless both live in the same space."""
    for name in ("modality", "encoder", "encoder_revision", "dimension"):
        left, right = getattr(a, name), getattr(b, name)
        if left != right:
            raise InvalidInput(
                Reason.NOT_COMPARABLE,
                f"The specifications differ in {name}: {left} and {right}.",
                field=f"specification.{name}",
            )
