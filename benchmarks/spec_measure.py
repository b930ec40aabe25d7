"""How near, and how discreet, weighted atoms are: an own yardstick that shares no code with the builder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.spec_reference import Reduced
from learndock.rkme.kernel import RobustScaler
from learndock.rkme.reduced_set import MIN_ROWS_PER_ATOM
from learndock.rkme.rows import CLIP

Matrix = NDArray[np.float64]

REFERENCE_GAMMA = 0.1
_BLOCK = 2048
# All pairs up to here; above, so many random frequencies, which err by 2 % of the result.
_EXACT_ROWS = 20_000
_FREQUENCIES = 4096
# An atom is a row if no column differs by more than rounding.
_SAME = 1e-5


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Rows [n, d] in a space, and the Gaussian kernel exp(-gamma |x-y|^2) there."""

    rows: Matrix
    gamma: float

    def mmd2(self, atoms: Matrix, weights: Matrix) -> float:
        """Squared maximum mean discrepancy of weighted atoms to all rows; unbiased, or exact where n is small."""
        if len(self.rows) > _EXACT_ROWS:
            return self._by_frequencies(atoms, weights)
        own = float(weights @ gram(atoms, atoms, self.gamma) @ weights)
        cross = sum(float((weights @ gram(atoms, block, self.gamma)).sum()) for block in blocks(self.rows))
        return own - 2.0 * cross / len(self.rows) + self._of_rows()

    def _of_rows(self) -> float:
        every = self.rows.astype(np.float32)
        total = 0.0
        for block in blocks(every):
            total += float(gram(block, every, self.gamma).sum(dtype=np.float64))
        return total / len(every) ** 2

    def _by_frequencies(self, atoms: Matrix, weights: Matrix) -> float:
        drawn = np.random.default_rng(7).normal(size=(self.rows.shape[1], _FREQUENCIES)) * np.sqrt(2.0 * self.gamma)
        of_rows = np.zeros(_FREQUENCIES, dtype=np.complex128)
        for block in blocks(self.rows):
            phases = (block @ drawn).astype(np.float32)
            of_rows += np.cos(phases).sum(axis=0) + 1j * np.sin(phases).sum(axis=0)
        of_atoms = weights @ np.exp(1j * (atoms @ drawn))
        return float(np.mean(np.abs(of_rows / len(self.rows) - of_atoms) ** 2))


@dataclass(frozen=True, eq=False)
class Space:
    """Robustly scaled columns with the median rule's kernel, and what is measured there."""

    scaler: RobustScaler
    yardstick: Yardstick

    @classmethod
    def of(cls, rows: NDArray[np.float32]) -> Space:
        """Space of the rows of one data set."""
        scaler = RobustScaler.fit(rows)
        scaled = np.clip(scaler.transform(rows), -CLIP, CLIP)
        chosen = scaled[np.random.default_rng(3).permutation(len(scaled))[:2000]]
        d2 = squared_distances(chosen, chosen)[np.triu_indices(len(chosen), 1)]
        return cls(scaler, Yardstick(scaled, float(1.0 / np.median(d2[d2 > 0]))))

    def mmd2(self, reduced: Reduced) -> float:
        """Discrepancy to all rows."""
        return self.yardstick.mmd2(self.scaler.transform(reduced.atoms), reduced.weights)

    def verbatim_rows(self, reduced: Reduced) -> int:
        """Atoms that are a row which fewer than 5 rows share."""
        rows = self.yardstick.rows
        atoms = np.clip(self.scaler.transform(reduced.atoms), -CLIP, CLIP)[self._nearest_rows(reduced) < _SAME]
        return sum(int((np.abs(rows - atom).max(axis=1) < _SAME).sum() < MIN_ROWS_PER_ATOM) for atom in atoms)

    def _nearest_rows(self, reduced: Reduced) -> Matrix:
        """Of each atom, the largest difference of a column to the nearest row."""
        atoms = np.clip(self.scaler.transform(reduced.atoms), -CLIP, CLIP)
        best, index = np.full(len(atoms), np.inf), np.zeros(len(atoms), dtype=np.intp)
        for start in range(0, len(self.yardstick.rows), _BLOCK):
            d2 = squared_distances(atoms, self.yardstick.rows[start : start + _BLOCK])
            nearer = d2.min(axis=1) < best
            best = np.where(nearer, d2.min(axis=1), best)
            index = np.where(nearer, start + d2.argmin(axis=1), index)
        return np.asarray(np.abs(atoms - self.yardstick.rows[index]).max(axis=1))


def membership_auc(space: Space, reduced: Reduced, members: NDArray[np.intp], others: NDArray[np.intp]) -> float:
    """Area under the curve of the attack that takes rows near an atom for those that were summarised."""
    atoms = space.scaler.transform(reduced.atoms)
    nearness = [
        -np.concatenate([squared_distances(block, atoms).min(axis=1) for block in blocks(space.yardstick.rows[part])])
        for part in (members, others)
    ]
    truth = np.repeat([1, 0], [len(members), len(others)])
    return float(roc_auc_score(truth, np.concatenate(nearness)))


def gram(x: NDArray[np.floating], y: NDArray[np.floating], gamma: float) -> NDArray[np.floating]:
    """Gaussian kernel matrix."""
    d2 = squared_distances(x, y)
    d2 *= -gamma
    return np.asarray(np.exp(d2, out=d2))


def squared_distances(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.floating]:
    """Squared Euclidean distances [n, m]."""
    d2 = x @ y.T
    d2 *= -2
    d2 += (x * x).sum(axis=1)[:, None]
    d2 += (y * y).sum(axis=1)[None, :]
    return np.asarray(np.maximum(d2, 0, out=d2))


def blocks(rows: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """All rows in order, some at a time."""
    return (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))
