"""Columns that a row lacks, filled in the ways that a learnware's own specification leads to expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import RobustScaler, squared_distances
from learndock.rkme.specification import Specification

Matrix = NDArray[np.float64]

# Widths of the Gaussian that are tried, as multiples of the atoms' typical squared distance to the nearest other.
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0)


@dataclass(frozen=True, eq=False)
class Completion:
    """Rows of some columns to rows of all.

    A specification is a mixture of its atoms z_k with weights b_k. With a Gaussian of inverse squared width g on the
    known columns S, the rest of a row is as in z_k with probability p_k, proportional to b_k exp(-g |x_S - z_kS|^2);
    the expectation of anything is its sum over the atoms. The width is the one that expects each atom best, given the
    others.

    Source: Nadaraya, On estimating regression, Theory of Probability and its Applications 9 (1964).

    Attributes
    ----------
    known
        Positions of the known columns, intp [m], m >= 1.
    atoms
        float64 [K, d].
    log_weights
        float64 [K].
    scaler
        Of the known columns.
    gamma
        Inverse squared width on scaled columns.
    """

    known: NDArray[np.intp]
    atoms: Matrix
    log_weights: NDArray[np.float64]
    scaler: RobustScaler
    gamma: float

    @classmethod
    def fit(cls, specification: Specification, known: NDArray[np.intp]) -> Completion:
        """Completion of rows that have the `known` columns, at least one; O(K^2 d)."""
        held = specification.weights > 0
        atoms = specification.atoms[held].astype(np.float64)
        weights = specification.weights[held]
        scaler = RobustScaler.levelled(atoms[:, known])
        gamma = _best_gamma(atoms, weights, known, scaler)
        return cls(known, atoms, np.log(weights), scaler, gamma)

    def probabilities(self, rows: Matrix) -> Matrix:
        """How likely each atom is, float64 [n, K], given rows of the known columns [n, m]."""
        d2 = squared_distances(self.scaler.transform(rows), self.scaler.transform(self.atoms[:, self.known]))
        return _softmax(self.log_weights - self.gamma * d2)

    def likeliest(self, rows: Matrix, most: int) -> tuple[Matrix, Matrix]:
        """The likeliest completions of rows of the known columns [n, m], at most so many.

        Returns
        -------
        completed
            Rows of all columns, float64 [n, c, d], the likeliest first.
        probabilities
            float64 [n, c]; each row sums to 1.
        """
        probabilities = self.probabilities(rows)
        chosen = np.argsort(-probabilities, axis=1, kind="stable")[:, :most]
        kept = np.take_along_axis(probabilities, chosen, axis=1)
        completed = self.atoms[chosen]
        completed[:, :, self.known] = rows[:, None, :]
        return completed, kept / kept.sum(axis=1, keepdims=True)


def _best_gamma(atoms: Matrix, weights: NDArray[np.float64], known: NDArray[np.intp], scaler: RobustScaler) -> float:
    scaled = scaler.transform(atoms[:, known])
    d2 = squared_distances(scaled, scaled)
    np.fill_diagonal(d2, np.inf)
    missing = np.delete(atoms, known, axis=1)
    typical = float(np.median(d2.min(axis=1))) if len(atoms) > 1 else 0.0
    if typical <= 0.0 or missing.shape[1] == 0:
        return 1.0
    missing = RobustScaler.levelled(missing).transform(missing)
    errors = [_left_out_error(d2, missing, weights, 1.0 / (width * typical)) for width in _WIDTHS]
    return 1.0 / (_WIDTHS[int(np.argmin(errors))] * typical)


def _left_out_error(d2: Matrix, missing: Matrix, weights: NDArray[np.float64], gamma: float) -> float:
    expected = _softmax(np.log(weights) - gamma * d2) @ missing
    return float(weights @ ((expected - missing) ** 2).sum(axis=1))


def _softmax(logarithms: Matrix) -> Matrix:
    values = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return np.asarray(values / values.sum(axis=1, keepdims=True))
