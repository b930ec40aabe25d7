"""What distance is ordinary in an island, so that a distance can be told as a share of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.search.entry import Placed

_SAMPLED_LEARNWARES = 1000
_POINTS = 2001


@dataclass(frozen=True, eq=False)
class Background:
    """Distribution of the MMD2 of random pairs of an island's learnwares.

    Attributes
    ----------
    pairs
        Its quantiles, ascending, float64 [1..2001].
    """

    pairs: NDArray[np.float64]

    def percentile(self, mmd2: float) -> float:
        """Share of random pairs that are farther apart, 0 to 100."""
        farther = len(self.pairs) - int(self.pairs.searchsorted(mmd2, side="right"))
        return float(100.0 * farther / len(self.pairs))


def fit(learnwares: Sequence[Placed]) -> Background:
    """Background of an island with these learnwares (at least one), by their embeddings.

    What the landmarks leave over of two learnwares is taken as unrelated, so distances are right up to r_a r_b. Of an
    island with one learnware, the background is what two unrelated learnwares of its kind would be apart.
    """
    generator = np.random.default_rng(len(learnwares))
    if len(learnwares) > _SAMPLED_LEARNWARES:
        chosen = generator.choice(len(learnwares), size=_SAMPLED_LEARNWARES, replace=False)
        learnwares = [learnwares[i] for i in chosen]
    if len(learnwares) == 1:
        return Background(np.array([2.0 * learnwares[0].norm]))
    distances = np.sort(_pairwise(learnwares))
    if len(distances) > _POINTS:
        distances = np.quantile(distances, np.linspace(0.0, 1.0, _POINTS))
    return Background(distances)


def _pairwise(learnwares: Sequence[Placed]) -> NDArray[np.float64]:
    e = np.stack([placed.row[:-1] for placed in learnwares]).astype(np.float64)
    norms = np.array([placed.norm for placed in learnwares])
    distances = norms[:, None] + norms[None, :] - 2.0 * (e @ e.T)
    return np.asarray(np.maximum(distances[np.triu_indices(len(norms), k=1)], 0.0))
