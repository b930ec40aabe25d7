"""Differentially private specifications: the mean of a public feature map, with noise, and no atoms."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random, SystemRandom

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learndock.errors import InvalidInput, Reason
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.gaussian_mechanism import PrivacyBudget, deviation_of_squared_distance, sensitivity_of_mean
from learndock.rkme.random_features import FeatureMap
from learndock.rkme.rows import Rows

# Far beyond what a mean of unit vectors with useful noise holds.
_MAX_MAGNITUDE = 1e6


@dataclass(frozen=True, eq=False)
class PrivateSpecification:
    """A table's distribution as a noisy mean embedding; epsilon-delta differentially private for replacing one row.

    Attributes
    ----------
    feature_map
        The public map.
    mean
        Mean of the rows' features plus noise, float64 [2 m].
    budget
        What the release may give away.
    row_count
        Rows that were summarised, at least 1; public under this notion of neighbouring data.

    Raises
    ------
    InvalidInput
        A bound is broken; the error names the field.
    """

    feature_map: FeatureMap
    mean: NDArray[np.float64]
    budget: PrivacyBudget
    row_count: int

    def __post_init__(self) -> None:
        mean = np.array(self.mean, dtype=np.float64)
        if mean.shape != (self.feature_map.width,):
            raise _invalid(Reason.SHAPE_MISMATCH, "mean", f"There must be {self.feature_map.width} numbers.")
        if not np.isfinite(mean).all() or np.abs(mean).max() > _MAX_MAGNITUDE:
            raise _invalid(Reason.NOT_FINITE, "mean", f"A number is not finite, or beyond {_MAX_MAGNITUDE:g}.")
        _check_row_count(self.row_count, self.budget)
        mean.setflags(write=False)
        object.__setattr__(self, "mean", mean)

    @property
    def dimension(self) -> int:
        """Number of columns of the table, d."""
        return self.feature_map.dimension

    @property
    def noise(self) -> float:
        """Standard deviation of the noise on each number of the mean."""
        return self.budget.noise_for(sensitivity_of_mean(self.row_count))

    @property
    def bias(self) -> float:
        """What the noise adds to a squared distance on average, 2 m noise^2."""
        return self.feature_map.width * self.noise**2

    def expected_error(self, squared_distance: float = 0.0) -> float:
        """Standard deviation of an estimated squared distance, where the true one is as given."""
        return deviation_of_squared_distance(self.noise, self.feature_map.width, squared_distance)

    def squared_distance(self, atoms: NDArray[np.floating], weights: NDArray[np.float64]) -> float:
        """Unbiased estimate of the squared distance to weighted atoms [K, d] in the map's space; may be below 0."""
        difference = self.mean - self.feature_map.mean(atoms, weights)
        return float(difference @ difference) - self.bias


def specify_privately(
    rows: ArrayLike,
    *,
    budget: PrivacyBudget,
    feature_map: FeatureMap,
    schema: TableSchema = PLAIN,
    random: Random | None = None,
) -> PrivateSpecification:
    """Differentially private specification of rows.

    Every row has features of length 1, so replacing one moves their mean by at most 2 / n; Gaussian noise is calibrated
    to that. Only this mean reads the rows: the map and its scaling are declared.

    Parameters
    ----------
    rows
        Array [n, d] or [n, ...], data frame or table, as `learndock.rkme.fit.build_specification` takes.
    budget
        Epsilon and delta; delta must be below 1 / n.
    feature_map
        The map, made without looking at the rows; `FeatureMap.of_ranges` makes one of declared column ranges.
    schema
        What types do not tell; no columns with gaps, since these are filled with the column's median.
    random
        Source of the noise; by default the operating system's. Whoever can repeat it can remove the noise.

    Raises
    ------
    InvalidInput
        Rows are not finite numbers of as many columns as the map, too few for delta, or have declared gaps.
    """
    refuse_gaps(schema)
    checked = Rows.of(rows, schema)
    if checked.dimension != feature_map.dimension:
        raise _invalid(
            Reason.SHAPE_MISMATCH,
            "ranges",
            f"{feature_map.dimension} columns are declared, the rows have {checked.dimension}.",
        )
    count = len(checked)
    _check_row_count(count, budget)
    source = random or SystemRandom()
    noise = budget.noise_for(sensitivity_of_mean(count))
    added = np.array([source.normalvariate(0.0, noise) for _ in range(feature_map.width)])
    mean = feature_map.mean(checked.values, np.full(count, 1.0 / count)) + added  # type: ignore[arg-type]  # any real type
    return PrivateSpecification(feature_map, mean, budget, count)


def refuse_gaps(schema: TableSchema) -> None:
    """Refuse a schema that would have gaps filled.

    Raises
    ------
    InvalidInput
        It declares columns with gaps.
    """
    if schema.missing:
        raise _invalid(
            Reason.FIELD_INVALID,
            "schema",
            "Gaps are filled with a median of the data, which is not private; fill them yourself.",
        )


def _check_row_count(count: int, budget: PrivacyBudget) -> None:
    if count < 1:
        raise _invalid(Reason.TOO_FEW_ROWS, "row_count", "There must be at least one row.")
    if budget.delta >= 1.0 / count:
        raise _invalid(
            Reason.FIELD_INVALID, "delta", f"It must be below 1 / rows, {1.0 / count:.3g}: it may give away whole rows."
        )


def _invalid(reason: Reason, field: str, message: str) -> InvalidInput:
    return InvalidInput(reason, message, field=f"private.{field}")
