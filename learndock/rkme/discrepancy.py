"""Inner products and squared maximum mean discrepancies of specifications."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import Kernel, RobustScaler, median_gamma
from learndock.rkme.specification import Specification

# Equal discrepancies differ by so much in their last digits.
_ROUNDING = 1e-12


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


@dataclass(frozen=True)
class Comparison:
    """How two specifications differ.

    Attributes
    ----------
    mmd2
        Squared maximum mean discrepancy, as `compare` tells it.
    p_value
        Share of random divisions of the atoms of both that are at least as far apart, in (0, 1].
    """

    mmd2: float
    p_value: float


def permutation_test(
    a: Specification, b: Specification, generator: np.random.Generator, *, permutations: int = 999
) -> Comparison:
    """Whether two specifications differ by more than chance: their discrepancy against that of shuffled atoms.

    Atoms, with their weights, are dealt anew to two sides of the old sizes; p = (1 + number of deals at least as
    far apart) / (1 + permutations). Atoms of one distribution are spread more evenly than random points, so where the
    two are alike p is near 1 rather than uniform: the test errs to the side of "alike".

    Raises
    ------
    InvalidInput
        The two live in different spaces (NOT_COMPARABLE).

    Notes
    -----
    Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012). O((K_a + K_b)^2 permutations).
    """
    kernel, scaler = pair_kernel(a, b)
    atoms = scaler.transform(np.concatenate([a.atoms, b.atoms]))
    gram, weights = kernel.gram(atoms, atoms), np.concatenate([a.weights, b.weights])
    sign = np.repeat([1.0, -1.0], [a.atom_count, b.atom_count])
    sides = np.stack([sign, *(generator.permutation(sign) for _ in range(permutations))])
    masses = [np.where(sides == side, weights, 0.0) for side in (1.0, -1.0)]
    first, second = (mass / np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(float).tiny) for mass in masses)
    signed = first - second
    found = np.einsum("pi,pi->p", signed @ gram, signed)
    as_far = int((found[1:] >= found[0] - _ROUNDING).sum())
    return Comparison(mmd2=max(0.0, float(found[0])), p_value=(1 + as_far) / (1 + permutations))


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
