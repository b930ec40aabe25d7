"""Data as it comes: arrays, data frames and tensors, checked and laid out as rows of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace
from learndock.rkme.columns import PLAIN, TableSchema, encode_columns
from learndock.rkme.frames import columns_of, is_arrow_table, is_data_frame, is_plain_frame
from learndock.rkme.kernel import RobustScaler
from learndock.rkme.specification import MAX_DIMENSION, MAX_MAGNITUDE

# Rows, and numbers, held at a time while all rows are walked.
_BLOCK_ROWS = 4096
_BLOCK_NUMBERS = 4 * 2**20
# Scaled columns are clipped here, in robust standard deviations: an outlier shall neither rule the distances nor be
# recognisable in an atom.
CLIP = 10.0


@runtime_checkable
class _Tensor(Protocol):
    """A torch tensor, by what is used of it."""

    def detach(self) -> _Tensor: ...

    def cpu(self) -> _Tensor: ...

    def numpy(self) -> NDArray[np.generic]: ...


@dataclass(frozen=True, eq=False)
class Rows:
    """Finite numbers [n, d] with what is known of their columns.

    Attributes
    ----------
    values
        Any real type, [n, d], in the data's own units.
    item_shape
        Shape of one item before flattening, with product d.
    columns
        What each column means, where the data tells; empty for arrays.
    """

    values: NDArray[np.generic]
    item_shape: tuple[int, ...]
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: ArrayLike, schema: TableSchema = PLAIN) -> Rows:
        """Rows of an array [n, ...], a nested list, a tensor, a data frame or an Arrow table.

        Raises
        ------
        InvalidInput
            Not numbers, fewer than two axes, no column, too many, NaN or infinity, or magnitudes beyond 1e6; or a
            column that does not fit the schema, see `columns.encode_columns`. The message names the first column at
            fault and no value.
        """
        array, columns = _with_names(data, schema)
        array = _numbers(array)
        if array.ndim < 2:
            raise _invalid(Reason.SHAPE_MISMATCH, f"Rows must be [n, d], not {list(array.shape)}.")
        item_shape = array.shape[1:]
        values = array.reshape(len(array), math.prod(item_shape))
        _check_columns(values.shape[1])
        rows = cls(values, item_shape, columns)
        rows._check_values()
        return rows

    def __len__(self) -> int:
        return len(self.values)

    @property
    def dimension(self) -> int:
        """Number of columns, d."""
        return int(self.values.shape[1])

    @property
    def feature_space(self) -> FeatureSpace | None:
        """Column names as a feature space, where there are any."""
        return FeatureSpace(self.dimension, dict(enumerate(self.columns))) if self.columns else None

    def blocks(self) -> Iterator[NDArray[np.generic]]:
        """All rows in order, a bounded number of them at a time, contiguous."""
        step = min(_BLOCK_ROWS, max(1, _BLOCK_NUMBERS // self.dimension))
        for start in range(0, len(self), step):
            # Sums depend on the layout in their last digits; a data frame's is often another than an array's.
            yield np.ascontiguousarray(self.values[start : start + step])

    def take(self, indices: NDArray[np.intp]) -> NDArray[np.generic]:
        """Chosen rows, contiguous."""
        return np.ascontiguousarray(self.values[indices])

    def _check_values(self) -> None:
        for block in self.blocks():
            bad = ~np.isfinite(block)
            if bad.any():
                raise _invalid(Reason.NOT_FINITE, f"{self._column(bad)} holds NaN or infinity.")
            bad = np.abs(block.astype(np.float64, copy=False)) > MAX_MAGNITUDE
            if bad.any():
                raise _invalid(
                    Reason.FIELD_INVALID,
                    f"{self._column(bad)} exceeds {MAX_MAGNITUDE:g} in magnitude; change its unit.",
                )

    def _column(self, bad: NDArray[np.bool_]) -> str:
        index = int(bad.any(axis=0).argmax())
        return _column_name(index, self.columns)


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """Rows seen through a scaler and clipped, without ever holding a scaled copy of all of them."""

    rows: Rows
    scaler: RobustScaler

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self) -> Iterator[NDArray[np.float64]]:
        """Scaled rows, float64, in order, a bounded number of them at a time."""
        for block in self.rows.blocks():
            yield self.transform(block)

    def transform(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """Scaled and clipped `values`, float64 [n, d]."""
        scaled = self.scaler.transform(values.astype(np.float64))
        return np.asarray(np.clip(scaled, -CLIP, CLIP, out=scaled))

    def publish(self, atoms: NDArray[np.float64]) -> NDArray[np.float32]:
        """Scaled atoms in the data's own units, as a specification holds them."""
        return self.scaler.inverse(atoms).astype(np.float32)


def _with_names(data: ArrayLike, schema: TableSchema) -> tuple[NDArray[np.generic], tuple[str, ...]]:
    if is_plain_frame(data) and not schema:
        return np.asarray(data), tuple(str(name) for name in data.columns)  # type: ignore[union-attr]
    if is_data_frame(data) or is_arrow_table(data):
        values, space = encode_columns(columns_of(data), schema)
        return values, tuple(space.descriptions.values())
    if schema:
        raise _invalid(Reason.FIELD_INVALID, "A schema needs columns with names: a data frame, a table or a file.")
    return _array(data), ()


def _array(data: ArrayLike) -> NDArray[np.generic]:
    try:
        if isinstance(data, _Tensor):
            return np.asarray(data.detach().cpu().numpy())
        return np.asarray(data)
    except (TypeError, ValueError) as error:  # ragged lists, bfloat16
        raise _invalid(Reason.SHAPE_MISMATCH, "Rows must be one array of numbers.") from error


def _numbers(array: NDArray[np.generic]) -> NDArray[np.generic]:
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind != "O" or any(isinstance(value, str | bytes | complex) for value in array.flat):
        raise _invalid(Reason.FIELD_INVALID, f"Rows must be real numbers, not {array.dtype.name}.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise _invalid(Reason.FIELD_INVALID, "Rows hold something that is no number.") from error


def _check_columns(count: int) -> None:
    if not 1 <= count <= MAX_DIMENSION:
        raise _invalid(Reason.SHAPE_MISMATCH, f"Rows must have 1 to {MAX_DIMENSION} columns, not {count}.")


def _column_name(index: int, columns: tuple[str, ...]) -> str:
    return f"Column {columns[index]!r}" if columns else f"Column {index}"


def _invalid(reason: Reason, message: str) -> InvalidInput:
    return InvalidInput(reason, message, field="rows")
