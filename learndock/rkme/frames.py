"""Columns of pandas data frames and of Arrow tables, neither of which is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.columns import Column


def is_data_frame(data: object) -> TypeGuard[Any]:
    """Whether data is a pandas data frame."""
    return _is(data, "pandas", "DataFrame")


def is_arrow_table(data: object) -> TypeGuard[Any]:
    """Whether data is an Arrow table or record batch."""
    return _is(data, "pyarrow", "Table") or _is(data, "pyarrow", "RecordBatch")


def is_plain_frame(data: object) -> bool:
    """Whether data is a data frame of numbers without gaps in their types: one array, that needs no encoding."""
    return is_data_frame(data) and all(
        isinstance(kind, np.dtype) and kind.kind in "biufO" and kind.kind != "O" for kind in data.dtypes
    )


def columns_of(data: object) -> Sequence[Column]:
    """Columns of a data frame or an Arrow table, in order."""
    if is_arrow_table(data):
        return [_of_arrow(str(name), data.column(index)) for index, name in enumerate(data.schema.names)]
    return [_of_series(str(name), data.iloc[:, index]) for index, name in enumerate(data.columns)]  # type: ignore[attr-defined]


def _of_series(name: str, series: Any) -> Column:  # noqa: ANN401  # pandas is optional
    kind = series.dtype
    if hasattr(series, "cat"):
        return Column(name, series.astype(object).to_numpy(), tuple(map(str, series.cat.categories)))
    if getattr(kind, "tz", None) is not None:
        return Column(name, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if isinstance(kind, np.dtype):
        return Column(name, series.to_numpy())
    return Column(name, series.astype(object).to_numpy())


def _of_arrow(name: str, array: Any) -> Column:  # noqa: ANN401  # pyarrow is optional
    if hasattr(array, "combine_chunks"):
        array = array.combine_chunks()
    vocabulary: tuple[str, ...] = ()
    if hasattr(array, "dictionary"):
        vocabulary = tuple(map(str, array.dictionary.to_pylist()))
        array = array.dictionary_decode()
    values: NDArray[np.generic] = array.to_numpy(zero_copy_only=False)
    return Column(name, values, vocabulary)


def _is(data: object, package: str, name: str) -> bool:
    return any(one.__module__.partition(".")[0] == package and one.__name__ == name for one in type(data).__mro__)
