"""How near atoms are to the mean embedding of all rows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.objective import Float32Rows, gaussian_block, gaussian_gram
from learndock.rkme.rows import ScaledRows
from learndock.rkme.specification import Fidelity

# Up to here all pairs of rows are compared (0.1 s); above, frequencies are drawn.
_EXACT_ROWS = 8192
_FREQUENCIES = 512
# Rows of a block of pairs: its kernel values (4 MiB) stay near the processor.
_PAIR_ROWS = 1024


def embedding_target(rows: ScaledRows, atoms: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Inner products of atoms with the embedding of all rows, c_i = mean_n k(z_i, x_n), float64 [K]; O(n K d)."""
    total = np.zeros(len(atoms))
    for block in _blocks(rows):
        total += gaussian_block(atoms.astype(np.float32), block, gamma).sum(axis=1, dtype=np.float64)
    return total / len(rows)


def measure(
    rows: ScaledRows,
    atoms: NDArray[np.float64],
    weights: NDArray[np.float64],
    gamma: float,
    generator: np.random.Generator,
) -> Fidelity:
    """Squared MMD between weighted atoms and all rows.

    Up to 8,192 rows it is exact, O(n^2 d). Above, it is an unbiased estimate over 512 frequencies of the kernel's
    Fourier transform, O(n d): mmd2 = E_f |mean_n exp(i f'x_n) - sum_k w_k exp(i f'z_k)|^2. Every term is non-negative
    and of the size of the result, so the error is relative (about 5 %), where sampling pairs of rows
    would err by far more than the discrepancy itself.

    Source: Rahimi and Recht, Random features for large-scale kernel machines, NeurIPS 2007.
    """
    if len(rows) <= _EXACT_ROWS:
        own = float(weights @ gaussian_gram(atoms, gamma) @ weights)
        cross = float(weights @ embedding_target(rows, atoms, gamma))
        return Fidelity(max(0.0, own - 2.0 * cross + _row_product(rows, gamma)), gamma)
    frequencies = generator.normal(scale=np.sqrt(2.0 * gamma), size=(_FREQUENCIES, rows.rows.dimension))
    of_atoms = _characteristic([atoms.astype(np.float32)], frequencies, weights)
    of_rows = _characteristic(_blocks(rows), frequencies, None) / len(rows)
    return Fidelity(float(np.mean((of_rows - of_atoms) ** 2) * 2.0), gamma)


def _row_product(rows: ScaledRows, gamma: float) -> float:
    """<mu, mu> = mean over all pairs of rows of their kernel value."""
    values = np.concatenate(list(_blocks(rows)))
    blocks = [values[start : start + _PAIR_ROWS] for start in range(0, len(values), _PAIR_ROWS)]
    total = 0.0
    for index, block in enumerate(blocks):
        for other in blocks[index:]:
            share = float(gaussian_block(block, other, gamma).sum(dtype=np.float64))
            total += share if other is block else 2.0 * share
    return total / len(rows) ** 2


def _characteristic(
    blocks: Iterable[Float32Rows], frequencies: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Sums of cosines and of sines of rows at each frequency, float64 [2, f]; weighted where weights are given."""
    total = np.zeros((2, len(frequencies)))
    turned = frequencies.astype(np.float32).T
    for block in blocks:
        phases = block @ turned
        for part, wave in enumerate((np.cos, np.sin)):
            values = wave(phases)
            total[part] += values.sum(axis=0, dtype=np.float64) if weights is None else weights @ values
    return total


def _blocks(rows: ScaledRows) -> Iterable[Float32Rows]:
    return (block.astype(np.float32) for block in rows.blocks())
