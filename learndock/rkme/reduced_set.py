"""A reduced set: few weighted points whose mean embedding is near that of many rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from learndock.rkme.graphics_card import DeviceMoments, card_for
from learndock.rkme.kernel import squared_distances
from learndock.rkme.objective import EmbeddingObjective, Float32Rows

MIN_ROWS_PER_ATOM = 5
"""Fewest rows that an atom may stand for: a centroid of one row *is* that row."""

_KMEANS_ROWS = 4096
_KMEANS_ROUNDS = 20
# Logits move this much slower than atoms: measured, it halves the discrepancy after 30 rounds.
_LOGIT_SCALE = 0.3
# Descent ends early once a round lowers the squared MMD by less than this: far below the discrepancies of interest.
_CONVERGED = 1e-9
# Corrections that L-BFGS keeps, and the numbers that they may take (1 GiB).
_CORRECTIONS = 30
_CORRECTION_NUMBERS = 2**26


@dataclass(frozen=True)
class Reduction:
    """How to reduce.

    Attributes
    ----------
    gamma
        Parameter of the Gaussian kernel.
    iterations
        Rounds of L-BFGS.
    on_round
        Called after each round with the share done; may raise to stop.
    device
        Where kernel values are summed, by torch's name; None for a graphics card where the work is worth it, else
        the processor.
    """

    gamma: float
    iterations: int
    on_round: Callable[[float], None] = lambda share: None
    device: str | None = None

    def reduce(self, rows: Float32Rows, count: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Atoms, float64 [K, d] with K <= count, each the nearest one of at least 5 rows.

        K-means gives the start; atoms and softmax weights then move together down the squared MMD; atoms that too
        few rows are near to are dropped, before and after.

        Parameters
        ----------
        rows
            Scaled rows, [m, d], in random order.
        count
            Atoms wanted.
        generator
            Source of the start.
        """
        atoms, weights = _kmeans(rows[:_KMEANS_ROWS], count, generator)
        card = self.device or card_for(rows, count)
        moments = DeviceMoments(rows, self.gamma, card) if card else None
        atoms = self._descend(EmbeddingObjective(rows, self.gamma, moments), atoms, weights)
        return atoms[crowded(squared_distances(atoms, rows))]

    def _descend(
        self, objective: EmbeddingObjective, atoms: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        shape, size = atoms.shape, atoms.size
        done = 0

        def evaluate(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            current = softmax(point[size:] * _LOGIT_SCALE)
            gradient = objective.gradient(point[:size].reshape(shape), current)
            by_logit = current * (gradient.weights - current @ gradient.weights) * _LOGIT_SCALE
            return gradient.value, np.concatenate([gradient.atoms.ravel(), by_logit])

        def after_round(_: NDArray[np.float64]) -> None:
            nonlocal done
            done += 1
            self.on_round(done / self.iterations)

        start = np.concatenate([atoms.ravel(), np.log(weights) / _LOGIT_SCALE])
        corrections = max(3, min(_CORRECTIONS, _CORRECTION_NUMBERS // start.size))
        options = {"maxiter": self.iterations, "ftol": _CONVERGED, "gtol": 0.0, "maxcor": corrections}
        found = minimize(evaluate, start, jac=True, method="L-BFGS-B", callback=after_round, options=options)
        return np.asarray(found.x[:size].reshape(shape))


def crowded(d2: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the atoms that stay when those with too few rows are dropped, the emptiest first.

    Parameters
    ----------
    d2
        Squared distances of atoms to rows, [K, m]. A row belongs to its nearest atom that is left.
    """
    d2 = d2.copy()
    labels = d2.argmin(axis=0)
    rows_of = np.bincount(labels, minlength=len(d2))
    dropped = np.zeros(len(d2), dtype=bool)
    while dropped.sum() < len(d2) - 1:
        emptiest = int(np.where(dropped, d2.shape[1] + 1, rows_of).argmin())
        if rows_of[emptiest] >= MIN_ROWS_PER_ATOM:
            break
        dropped[emptiest] = True
        d2[emptiest] = np.inf
        orphans = np.flatnonzero(labels == emptiest)
        labels[orphans] = d2[:, orphans].argmin(axis=0)
        rows_of += np.bincount(labels[orphans], minlength=len(d2))
    return np.flatnonzero(~dropped)


def _kmeans(
    rows: Float32Rows, count: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centroids, [K, d], and the share of rows of each, [K], of clusters that are large enough."""
    kmeans = KMeans(count, n_init=1, max_iter=_KMEANS_ROUNDS, random_state=int(generator.integers(2**31)))
    with warnings.catch_warnings():
        # Fewer distinct rows than clusters leave some empty; these are dropped below.
        warnings.simplefilter("ignore", ConvergenceWarning)
        centres = kmeans.fit(rows).cluster_centers_.astype(np.float64)
    d2 = squared_distances(centres, rows)
    kept = crowded(d2)
    labels = d2[kept].argmin(axis=0)
    sizes = np.bincount(labels, minlength=len(kept))
    centroids = np.stack([rows[labels == label].mean(axis=0, dtype=np.float64) for label in range(len(kept))])
    return centroids, sizes / sizes.sum()
