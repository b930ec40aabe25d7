"""How far weighted atoms are from the mean embedding of rows, and which way to move them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import squared_distances

Float32Rows = NDArray[np.float32]
Moments = Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Of atoms [K, d]: mean_n k(z_i, x_n), [K], and mean_n k(z_i, x_n) x_n, [K, d]."""

# Rows of one block: with 100 atoms its kernel values (800 KiB) stay in the cache.
_BLOCK_ROWS = 2048


@dataclass(frozen=True)
class Gradient:
    """The objective and its derivatives at one point.

    Attributes
    ----------
    value
        w'Gw - 2 w'c: the squared MMD less the constant <mu, mu> of the rows.
    atoms
        Derivative by the atoms, float64 [K, d].
    weights
        Derivative by the weights, float64 [K].
    """

    value: float
    atoms: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EmbeddingObjective:
    """Squared MMD between weighted atoms and rows, in the Gaussian kernel exp(-gamma |x-y|^2).

    Kernel values are float32, sums of them float64: the error of a mean of kernel values stays near 1e-8, far below
    the discrepancies of interest, at half the time.

    Attributes
    ----------
    rows
        float32 [m, d], near the origin (scaled), since squared distances are expanded.
    gamma
        The kernel's parameter, > 0.
    moments
        Sums the kernel values elsewhere; None for the processor.
    """

    rows: Float32Rows
    gamma: float
    moments: Moments | None = None

    def target(self, atoms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inner products of the atoms with the rows' embedding, c_i = mean_n k(z_i, x_n), float64 [K]; O(m K d)."""
        return self._moments(atoms)[0]

    def gradient(self, atoms: NDArray[np.float64], weights: NDArray[np.float64]) -> Gradient:
        """Value and derivatives; O((m + K) K d).

        With G_ij = k(z_i, z_j): d/dz_i = 4 gamma w_i [ c_i z_i - mean_n k(z_i, x_n) x_n
        - sum_j w_j G_ij (z_i - z_j) ] and d/dw = 2 (G w - c).
        """
        target, attraction = self._moments(atoms)
        gram = gaussian_gram(atoms, self.gamma)
        own = gram @ weights
        pull = target[:, None] * atoms - attraction
        push = own[:, None] * atoms - (gram * weights) @ atoms
        return Gradient(
            value=float(weights @ own - 2.0 * weights @ target),
            atoms=4.0 * self.gamma * weights[:, None] * (pull - push),
            weights=2.0 * (own - target),
        )

    def _moments(self, atoms: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """mean_n k(z_i, x_n), [K], and mean_n k(z_i, x_n) x_n, [K, d]."""
        if self.moments is not None:
            return self.moments(atoms)
        z = atoms.astype(np.float32)
        mass, moment = np.zeros(len(z)), np.zeros(z.shape)
        for start in range(0, len(self.rows), _BLOCK_ROWS):
            block = self.rows[start : start + _BLOCK_ROWS]
            values = gaussian_block(z, block, self.gamma)
            mass += values.sum(axis=1, dtype=np.float64)
            moment += values @ block
        return mass / len(self.rows), moment / len(self.rows)


def gaussian_block(x: Float32Rows, y: Float32Rows, gamma: float) -> Float32Rows:
    """exp(-gamma |x-y|^2) in float32, [n, m], for a block that fits the cache."""
    factor = np.float32(gamma)
    values = x @ y.T
    values *= np.float32(2) * factor
    values -= factor * np.einsum("ij,ij->i", x, x)[:, None]
    values -= factor * np.einsum("ij,ij->i", y, y)[None, :]
    np.minimum(values, np.float32(0), out=values)
    return np.asarray(np.exp(values, out=values))


def gaussian_gram(atoms: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Gram matrix of atoms in float64, [K, K]."""
    return np.asarray(np.exp(-gamma * squared_distances(atoms, atoms)))
