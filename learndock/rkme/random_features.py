"""Random Fourier features: a public map to vectors of length 1 whose inner products are kernel values.

Source: Rahimi and Recht, Random features for large-scale kernel machines, NIPS 20 (2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import Rows
from learndock.rkme.specification import MAX_DIMENSION, MAX_MAGNITUDE, MAX_NUMBERS

MAX_FREQUENCIES = 4096
MAX_GAMMAS = 16
DEFAULT_FREQUENCIES = 512
# Times 1 / (2 d), which is the median rule's for columns that fill their ranges evenly; most data is narrower.
_MULTIPLES = (1.0, 4.0, 16.0)
# Standard deviations in the range of a uniform distribution.
_RANGE_OF_UNIFORM = 12.0**0.5
_BLOCK_VALUES = 2**21
_MAX_SEED = 2**32 - 1


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Features [cos(w_j x), sin(w_j x)] / sqrt(m) of scaled rows x: m frequencies w_j, fixed by a seed.

    Frequencies are normal with variance 2 gamma, the gammas taking turns, so that inner products approach those of
    the mean of Gaussians exp(-gamma |x - y|^2). They come from NumPy's `RandomState`, whose stream is frozen: the same
    seed gives the same map everywhere.

    Attributes
    ----------
    center
        What is subtracted from each column, float64 [d].
    scale
        What each column is divided by, float64 [d], > 0.
    gammas
        Inverse squared widths, 1 to 16 of them, each > 0.
    frequency_count
        Number of frequencies m, 1 to 4096; m d is at most 4,194,304.
    seed
        Random seed, below 2^32.

    Raises
    ------
    InvalidInput
        A bound is broken; the error names the field.
    """

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    gammas: tuple[float, ...]
    frequency_count: int = DEFAULT_FREQUENCIES
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", _column_numbers(self.center, "center"))
        object.__setattr__(self, "scale", _column_numbers(self.scale, "scale"))
        if self.center.shape != self.scale.shape or (self.scale <= 0).any():
            raise _invalid("scale", "There must be one positive scale for each column.")
        if not 1 <= len(self.gammas) <= MAX_GAMMAS or not all(0 < g <= MAX_MAGNITUDE for g in self.gammas):
            raise _invalid("gammas", f"There must be 1 to {MAX_GAMMAS} positive gammas.")
        most = min(MAX_FREQUENCIES, MAX_NUMBERS // self.dimension)
        if not 1 <= self.frequency_count <= most:
            raise _invalid("frequency_count", f"It must be 1 to {most}, not {self.frequency_count}.")
        if not 0 <= self.seed <= _MAX_SEED:
            raise _invalid("seed", f"It must be 0 to {_MAX_SEED}.")

    @classmethod
    def of_ranges(
        cls,
        ranges: ArrayLike,
        *,
        gammas: Sequence[float] = (),
        frequency_count: int = DEFAULT_FREQUENCIES,
        seed: int = 0,
    ) -> FeatureMap:
        """Map for columns in declared ranges [d, 2]; values outside of them are mapped too.

        Raises
        ------
        InvalidInput
            Not a lower and a higher finite number for each column, or another bound is broken.
        """
        try:
            bounds = np.asarray(ranges, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise _invalid("ranges", "There must be a lower and a higher number for each column.") from error
        if bounds.ndim != 2 or bounds.shape[1] != 2 or not len(bounds) or not np.isfinite(bounds).all():
            raise _invalid("ranges", "There must be a lower and a higher number for each column.")
        low, high = bounds.T
        if (low >= high).any():
            column = int(np.argmax(low >= high))
            raise _invalid("ranges", f"The range of column {column} must go from a lower to a higher number.")
        chosen = tuple(gammas) or tuple(multiple / (2.0 * len(bounds)) for multiple in _MULTIPLES)
        return cls((low + high) / 2.0, (high - low) / _RANGE_OF_UNIFORM, chosen, frequency_count, seed)

    @property
    def dimension(self) -> int:
        """Number of columns, d."""
        return len(self.center)

    @property
    def width(self) -> int:
        """Number of features, 2 m."""
        return 2 * self.frequency_count

    def features(self, rows: Rows) -> NDArray[np.float64]:
        """Features of rows [n, d], each of length 1, float64 [n, 2 m]; O(n m d)."""
        phases = ((np.asarray(rows, dtype=np.float64) - self.center) / self.scale) @ self._frequencies.T
        waves = np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
        return np.asarray(waves / np.sqrt(self.frequency_count))

    def mean(self, rows: Rows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sum of the features of rows [n, d] with weights [n], float64 [2 m]; in blocks."""
        step = max(1, _BLOCK_VALUES // max(self.width, self.dimension))
        total = np.zeros(self.width)
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            total += weights[block] @ self.features(rows[block])
        return total

    @cached_property
    def _frequencies(self) -> NDArray[np.float64]:
        """Frequencies, float64 [m, d]."""
        frozen = np.random.RandomState(self.seed)  # a Generator's stream may change with NumPy's version
        variances = 2.0 * np.resize(self.gammas, self.frequency_count)
        return np.asarray(frozen.standard_normal((self.frequency_count, self.dimension)) * np.sqrt(variances)[:, None])


def _column_numbers(values: NDArray[np.float64], field: str) -> NDArray[np.float64]:
    numbers = np.array(values, dtype=np.float64)
    if numbers.ndim != 1 or not 1 <= len(numbers) <= MAX_DIMENSION or not np.isfinite(numbers).all():
        raise _invalid(field, f"There must be one finite number for each of 1 to {MAX_DIMENSION} columns.")
    numbers.setflags(write=False)
    return numbers


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field=f"private.{field}")
