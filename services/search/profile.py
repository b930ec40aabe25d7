"""The profile of an island: the scaling, kernel and landmarks with which its learnwares are compared.

A profile is fitted by the dock from its own specifications, numbered and frozen. Nothing that an uploader claims about
kernels enters it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import faiss
import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import Kernel, RobustScaler, Rows, squared_distances
from services.search.packs import WeightedAtoms

# Gaussians at these multiples of 1 / (own median squared distance), over these quantiles of the island's learnwares.
# Widths are the median width doubled or halved: one exponential and some squarings then give all.
# docs/decisions/0002-search-kernel.md tells what was tried.
MULTIPLES = (0.25, 1.0)
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

MAX_LANDMARKS = 256
_SAMPLED_SPECIFICATIONS = 2000
_SAMPLED_ATOMS = 20_000
_KMEANS_ROUNDS = 10
# Directions in which the landmarks' Gram matrix is smaller than this share of its largest eigenvalue are dropped: they
# would carry rounding, not distance.
_SMALLEST_EIGENVALUE = 1e-6


@dataclass(frozen=True, eq=False)
class Profile:
    """How the learnwares of an island are compared.

    Attributes
    ----------
    number
        1, 2, ...; grows with each refit of the island.
    scaler
        Columns to comparable units.
    kernel
        Kernel on scaled rows.
    landmarks
        Scaled points that span the embedding, float64 [D, d].
    projection
        W^(-1/2) of the landmarks' Gram matrix W, rotated so that the learnwares vary most along the first coordinates,
        float64 [D, D'].
    fitted_on
        Learnwares that the island had when this was fitted.
    fit_time
        When.
    """

    number: int
    scaler: RobustScaler
    kernel: Kernel
    landmarks: NDArray[np.float64]
    projection: NDArray[np.float64]
    fitted_on: int
    fit_time: datetime

    @property
    def width(self) -> int:
        """Numbers in an embedding, D' + 1."""
        return int(self.projection.shape[1]) + 1


def fit(specifications: Sequence[WeightedAtoms], *, number: int, fit_time: datetime) -> Profile:
    """Profile of an island that holds `specifications` (at least one, in a stable order).

    The same specifications give the same profile. Large islands are sampled: 2,000 specifications, 20,000 atoms.
    """
    generator = np.random.default_rng(number)
    chosen = [specifications[i] for i in _sample(len(specifications), _SAMPLED_SPECIFICATIONS, generator)]
    pooled = np.concatenate([specification.atoms for specification in chosen]).astype(np.float64)
    pooled = pooled[_sample(len(pooled), _SAMPLED_ATOMS, generator)]
    scaler = RobustScaler.levelled(pooled)
    kernel = _fit_kernel(chosen, scaler)
    landmarks = _fit_landmarks(scaler.transform(pooled))
    root = _inverse_root(kernel.gram(landmarks, landmarks))
    return Profile(
        number=number,
        scaler=scaler,
        kernel=kernel,
        landmarks=landmarks,
        projection=root @ _rotation(_projected(chosen, scaler, kernel, landmarks) @ root),
        fitted_on=len(specifications),
        fit_time=fit_time,
    )


def _sample(count: int, most: int, generator: np.random.Generator) -> NDArray[np.intp]:
    if count <= most:
        return np.arange(count)
    return np.sort(generator.choice(count, size=most, replace=False))


def _fit_kernel(specifications: Sequence[WeightedAtoms], scaler: RobustScaler) -> Kernel:
    medians = [own_median(scaler.transform(s.atoms), s.weights) for s in specifications]
    positive = [median for median in medians if median > 0] or [1.0]
    typical = float(np.median(positive))
    doublings = {round(float(np.log2(width / typical))) for width in np.quantile(positive, QUANTILES)}
    widths = [typical * 2.0**exponent for exponent in doublings]
    return Kernel(tuple(sorted({multiple / width for multiple in MULTIPLES for width in widths})))


def own_median(atoms: Rows, weights: NDArray[np.float64]) -> float:
    """Median squared distance between two different points drawn from weighted atoms [K, d]; 0 if all are one point.

    Weights count, so that an atom split in two, or far-off atoms of no weight, change nothing.
    """
    distinct, which = np.unique(atoms[weights > 0], axis=0, return_inverse=True)
    if len(distinct) == 1:
        return 0.0
    merged = np.bincount(which.ravel(), weights=weights[weights > 0])
    pairs = np.triu_indices(len(distinct), k=1)
    values = squared_distances(distinct, distinct)[pairs]
    masses = np.outer(merged, merged)[pairs]
    order = np.argsort(values)
    cumulated = np.cumsum(masses[order])
    return float(values[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


def _fit_landmarks(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cluster centres of scaled atoms; all distinct atoms where there are few."""
    distinct = np.unique(rows, axis=0)
    if len(distinct) <= MAX_LANDMARKS:
        return distinct
    kmeans = faiss.Kmeans(
        rows.shape[1], MAX_LANDMARKS, niter=_KMEANS_ROUNDS, seed=1, min_points_per_centroid=1, verbose=False
    )
    kmeans.train(np.ascontiguousarray(rows, dtype=np.float32))
    return np.unique(np.asarray(kmeans.centroids, dtype=np.float64), axis=0)


def _inverse_root(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(gram)
    kept = values > _SMALLEST_EIGENVALUE * values[-1]
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))


def _projected(
    specifications: Sequence[WeightedAtoms], scaler: RobustScaler, kernel: Kernel, landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """<mu, k(l, .)> of specifications and landmarks, float64 [n, D]."""
    return np.stack([s.weights @ kernel.gram(scaler.transform(s.atoms), landmarks) for s in specifications])


def _rotation(e: NDArray[np.float64]) -> NDArray[np.float64]:
    """Orthogonal [D', D']: principal axes of embeddings [n, D'], those of most variance first."""
    centred = e - e.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(vectors[:, ::-1])
