"""Outputs of members from another feature space, brought to the task's truth on a few labelled rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesRegressor

from learndock.reuse.gathering import Matrix, Outputs

Shares = NDArray[np.float64]

# The belief that outputs are right as they are counts as so many labelled rows.
_PRIOR_ROWS = 10.0
# From so many labelled rows on, what they say of the rest counts more than half.
_ROWS_OF_HALF = 30.0
_TREES = 50
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class OutputAlignment:
    """The members' mean, changed linearly, and then corrected by what the labelled rows show is left.

    Attributes
    ----------
    weights
        Of the members.
    change
        float64 [c + 1, c]: the mean with a 1 beside it, times this, is aligned.
    correction
        Model of what is left, from a row's features and its aligned output; None where a row stands alone.
    trust
        Share of the correction that is taken.
    """

    weights: Shares
    change: Matrix
    correction: BaseEstimator | None
    trust: float

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """See `Combiner`."""
        aligned = _changed(outputs.mean(self.weights), self.change)
        if self.correction is not None:
            left = self.correction.predict(np.hstack([features, aligned])).reshape(aligned.shape)
            aligned = aligned + self.trust * left
        return _as_probabilities(aligned) if outputs.classes else aligned


def output_alignment(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> OutputAlignment:
    """Alignment of the members' mean to the truth.

    Numbers are shifted and stretched, drawn to what they are: the slope of each column is
    (sum (f - mf)(y - my) + a v) / (sum (f - mf)^2 + a v), v the variance of f and a the `_PRIOR_ROWS`. Classes are
    relabelled by the row-normalised table of said against true ones, with `_PRIOR_ROWS` on its diagonal. Randomised
    trees then learn what is left; of n labelled rows they are trusted n / (n + `_ROWS_OF_HALF`).
    """
    said = outputs.mean(shares)
    change = _relabelling(said, truth) if outputs.classes else _stretching(said, truth)
    if len(truth) < 2:  # one row leaves nothing to learn from
        return OutputAlignment(shares, change, None, 0.0)
    aligned = _changed(said, change)
    trees = ExtraTreesRegressor(_TREES, min_samples_leaf=2, random_state=0)
    left = truth - aligned
    trees.fit(np.hstack([features, aligned]), left[:, 0] if left.shape[1] == 1 else left)
    return OutputAlignment(shares, change, trees, len(truth) / (len(truth) + _ROWS_OF_HALF))


def _changed(said: Matrix, change: Matrix) -> Matrix:
    return np.asarray(np.hstack([said, np.ones((len(said), 1))]) @ change)


def _stretching(said: Matrix, truth: Matrix) -> Matrix:
    mean, wanted = said.mean(axis=0), truth.mean(axis=0)
    prior = _PRIOR_ROWS * np.maximum(said.var(axis=0), _SMALLEST)
    together = ((said - mean) * (truth - wanted)).sum(axis=0)
    slopes = (together + prior) / (((said - mean) ** 2).sum(axis=0) + prior)
    # One row says little of the level, too.
    shift = (wanted - mean) * len(truth) / (len(truth) + 1.0)
    return np.vstack([np.diag(slopes), mean + shift - slopes * mean])


def _relabelling(said: Matrix, truth: Matrix) -> Matrix:
    counts = said.T @ truth + _PRIOR_ROWS * np.eye(truth.shape[1])
    return np.vstack([counts / counts.sum(axis=1, keepdims=True), np.zeros(truth.shape[1])])


def _as_probabilities(aligned: Matrix) -> Matrix:
    positive = np.maximum(aligned, 0.0)
    totals = positive.sum(axis=1, keepdims=True)
    return np.asarray(np.where(totals > 0, positive / np.maximum(totals, _SMALLEST), 1.0 / positive.shape[1]))
