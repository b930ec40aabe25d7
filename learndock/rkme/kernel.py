"""Kernels, scaling and the median rule: what "near" means for rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import log2
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason

Rows = NDArray[np.floating]

_Float = TypeVar("_Float", np.float32, np.float64)

# A column whose spread is below this share of its magnitude is constant for float32.
_CONSTANT = 1e-6
# What normal data has between its quartiles, and between its 5 % and 95 % quantiles, in standard deviations.
_QUARTILES_OF_NORMAL = 1.349
_TWENTIETHS_OF_NORMAL = 3.290
# A column whose quartiles are this much nearer than its outer quantiles tell is mostly one value.
_MOSTLY_ONE_VALUE = 0.1
# No column is taken to vary less than this share of what columns usually vary, where data of many sources is compared.
LEAST_SPREAD = 0.02
# Kernel values computed at a time: intermediate results of 512 KiB stay in the processor's cache.
_BLOCK_VALUES = 2**16
# Squarings that replace an exponential at most, and how near a ratio of gammas must be to a power of two.
_MAX_SQUARINGS = 4
_EQUAL = 1e-12


@dataclass(frozen=True)
class Kernel:
    """Mean of Gaussians, k(x, y) = mean_g exp(-g |x - y|^2); one gamma makes the plain Gaussian.

    It is positive definite, k(x, x) = 1, and characteristic: two distributions are at distance zero only if equal.

    Attributes
    ----------
    gammas
        Inverse squared widths, each > 0.
    """

    gammas: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.gammas or not all(np.isfinite(g) and g > 0 for g in self.gammas):
            raise InvalidInput(Reason.FIELD_INVALID, "Every gamma must be positive and finite.", field="gammas")

    def gram(self, x: Rows, y: Rows) -> NDArray[np.float64]:
        """Kernel matrix, float64 [n, m], of rows [n, d] and [m, d]; O(n m d)."""
        return self.of_squared_distances(squared_distances(x, y))

    def of_squared_distances(self, d2: NDArray[_Float]) -> NDArray[_Float]:
        """Kernel values of squared distances of any shape, in their own precision."""
        flat = np.ascontiguousarray(d2).reshape(-1)
        total = np.empty_like(flat)
        for start in range(0, len(flat), _BLOCK_VALUES):
            block = slice(start, start + _BLOCK_VALUES)
            self._fill(total[block], flat[block])
        return total.reshape(np.shape(d2))

    def _fill(self, total: NDArray[_Float], d2: NDArray[_Float]) -> None:
        total[:] = 0.0
        values = np.empty_like(d2)
        for gamma, squarings in self.steps:
            self._step(values, d2, gamma, squarings)
            total += values
        total *= 1.0 / len(self.gammas)  # many times cheaper than to divide

    def sums(self, rows: NDArray[_Float], columns: NDArray[_Float], weights: NDArray[_Float]) -> NDArray[_Float]:
        """Kernel values of n points and m others, summed with weights [m] of these, in their own precision, [n].

        Faster than to make a matrix of them first.

        Parameters
        ----------
        rows
            The points, as `widened` makes them, [n, d + 2].
        columns
            The others, from the same origin, as `facing` makes them, [d + 2, m].
        weights
            Weights of the others.
        """
        count = max(1, _BLOCK_VALUES // max(1, len(weights)))
        blocks = [self._sums(rows[start : start + count] @ columns, weights) for start in range(0, len(rows), count)]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=rows.dtype)

    def _sums(self, d2: NDArray[_Float], weights: NDArray[_Float]) -> NDArray[_Float]:
        """The same of squared distances [n, m], which it changes."""
        np.abs(d2, out=d2)  # what rounding made negative; no farther off, and faster than to cut
        values = d2 if all(squarings is not None for _, squarings in self.steps[1:]) else np.empty_like(d2)
        total = np.zeros(len(d2), dtype=d2.dtype)
        for gamma, squarings in self.steps:
            self._step(values, d2, gamma, squarings)
            total += values @ weights
        return total * (1.0 / len(self.gammas))

    @staticmethod
    def _step(values: NDArray[_Float], d2: NDArray[_Float], gamma: float, squarings: int | None) -> None:
        """From the values of one Gaussian to those of the next."""
        if squarings is None:
            np.multiply(d2, -gamma, out=values)
            np.exp(values, out=values)
        else:
            for _ in range(squarings):
                np.square(values, out=values)

    @cached_property
    def steps(self) -> tuple[tuple[float, int | None], ...]:
        """The gammas, ascending, each with how often the values before it are squared; None for an exponential.

        exp(-2g d2) is the square of exp(-g d2), and squaring is many times cheaper.
        """
        ascending = sorted(self.gammas)
        steps: list[tuple[float, int | None]] = [(ascending[0], None)]
        for before, gamma in pairwise(ascending):
            doublings = log2(gamma / before)
            whole = abs(doublings - round(doublings)) < _EQUAL and round(doublings) <= _MAX_SQUARINGS
            steps.append((gamma, round(doublings) if whole else None))
        return tuple(steps)


def squared_distances(x: Rows, y: Rows) -> NDArray[np.float64]:
    """Squared Euclidean distances, float64 [n, m], never negative.

    Both sides are shifted by the mean of `y` first, so that far-away data of small spread keeps its digits.
    """
    shift = np.asarray(y, dtype=np.float64).mean(axis=0)
    d2 = widened(x, shift) @ facing(widened(y, shift))
    return np.asarray(np.maximum(d2, 0.0, out=d2))


def widened(points: Rows, origin: NDArray[_Float], per_square: NDArray[_Float] | None = None) -> NDArray[_Float]:
    """Points a [n, d] told from an origin [d], as [a, |a|^2, 1], in the origin's precision, [n, d + 2].

    Their product with what `facing` makes of others from the same origin is |a - b|^2. The nearer the origin, the fewer
    digits are lost. `per_square` [d] tells what the square of each column's unit counts, if not 1.
    """
    told = np.subtract(points, origin, dtype=origin.dtype)
    wide = np.empty((len(told), len(origin) + 2), dtype=origin.dtype)
    wide[:, :-2] = told
    np.square(told, out=told)
    wide[:, -2] = told @ (np.ones_like(origin) if per_square is None else per_square)
    wide[:, -1] = 1.0
    return wide


def facing(rows: NDArray[_Float], factors: NDArray[_Float] | float = 1.0) -> NDArray[_Float]:
    """Widened points b [m, d + 2] as the other side of such a product: [-2b, 1, |b|^2], [d + 2, m].

    Where one side is not told in scaled units, each column of b is multiplied by its factor [d].
    """
    return np.concatenate([(-2.0 * factors * rows[:, :-2]).T, rows[:, -1:].T, rows[:, -2:-1].T])


@dataclass(frozen=True, eq=False)
class RobustScaler:
    """Columns shifted to their median and divided by their robust spread.

    Attributes
    ----------
    center
        Median of each column, float64 [d].
    scale
        Robust standard deviation of each column, float64 [d]: from its quartiles; from its 5 % and 95 % quantiles
        where it is mostly one value; its plain standard deviation where these coincide too; 1 where it is constant.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: Rows) -> RobustScaler:
        """Scaler of the columns of `rows` [n, d]."""
        rows = np.asarray(rows, dtype=np.float64)
        lowest, low, center, high, highest = np.quantile(rows, (0.05, 0.25, 0.5, 0.75, 0.95), axis=0)
        inner = (high - low) / _QUARTILES_OF_NORMAL
        outer = (highest - lowest) / _TWENTIETHS_OF_NORMAL
        floor = _CONSTANT * np.maximum(np.abs(center), np.finfo(np.float32).tiny)
        scale = np.where(inner > np.maximum(floor, _MOSTLY_ONE_VALUE * outer), inner, outer)
        scale = np.where(scale > floor, scale, rows.std(axis=0))
        return cls(center=center, scale=np.where(scale > floor, scale, 1.0))

    @classmethod
    def levelled(cls, rows: Rows) -> RobustScaler:
        """Scaler of `rows` [n, d] that does not blow up columns which hardly vary, such as a picture's border.

        No column counts as narrower than its 5 % and 95 % quantiles tell, as that of a rare category would, nor, if it
        varies, than `LEAST_SPREAD` of the median column's spread. This is the scaling with which specifications of
        different sources are compared.
        """
        robust = cls.fit(rows)
        lowest, highest = np.quantile(rows, (0.05, 0.95), axis=0)
        spread = np.maximum(robust.scale, (highest - lowest) / _TWENTIETHS_OF_NORMAL)
        varying = np.ptp(rows, axis=0) > 0
        typical = float(np.median(spread[varying])) if varying.any() else 1.0
        scale = np.where(varying, np.maximum(spread, LEAST_SPREAD * typical), typical)
        return cls(center=robust.center, scale=scale)

    def transform(self, rows: Rows) -> NDArray[np.float64]:
        """Scaled rows, float64 [n, d]."""
        return (np.asarray(rows, dtype=np.float64) - self.center) / self.scale

    def inverse(self, rows: Rows) -> NDArray[np.float64]:
        """Rows in the data's own units, float64 [n, d]."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.center


def median_gamma(rows: Rows, *, generator: np.random.Generator, sample_size: int = 1000) -> float:
    """Gamma of the median rule, 1 / median squared distance, over a sample of rows.

    Source: Gretton et al., A kernel two-sample test, JMLR 13 (2012), section 8.
    """
    if len(rows) > sample_size:
        rows = rows[generator.choice(len(rows), size=sample_size, replace=False)]
    d2 = squared_distances(rows, rows)[np.triu_indices(len(rows), k=1)]
    positive = d2[d2 > 0]
    return float(1.0 / np.median(positive)) if positive.size else 1.0
