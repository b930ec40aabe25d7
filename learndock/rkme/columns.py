"""Tables of mixed columns - numbers, categories, dates, gaps - as rows of numbers whose meaning is declared.

What a column becomes is told by its type and by a declaration, never by the values that happen to be there: so two
tables of one kind always come to the same columns, and no value is published by being the name of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class TableSchema:
    """What the types of columns do not tell.

    Attributes
    ----------
    vocabulary
        Categories of a column of words, in the order of the columns that they become. Pandas' categorical columns
        bring their own.
    dates
        Columns of text that holds dates, as ISO 8601 writes them.
    missing
        Columns that may have gaps; each gets another column that is 1 where there is one.
    units
        Units of columns, for their description.
    meanings
        What columns mean, in words, for their description: by it they are found among other tables' columns.
    """

    vocabulary: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dates: Sequence[str] = ()
    missing: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.vocabulary or self.dates or self.missing or self.units or self.meanings)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise `InvalidInput` for a declared column that is not there."""
        for declared in (*self.vocabulary, *self.dates, *self.missing, *self.units, *self.meanings):
            if declared not in names:
                raise InvalidInput(Reason.FIELD_INVALID, f"There is no column {declared!r}.", field="schema")


PLAIN = TableSchema()
"""Nothing but what the types tell."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column as it came.

    Attributes
    ----------
    name
        Its name.
    values
        Numbers, dates (datetime64), or objects: words, and None or NaN in gaps; [n].
    vocabulary
        Categories that its type declares, if it does.
    """

    name: str
    values: NDArray[np.generic]
    vocabulary: tuple[str, ...] = ()


def encode_columns(columns: Sequence[Column], schema: TableSchema) -> tuple[NDArray[np.float64], FeatureSpace]:
    """Numbers [n, d] of columns, and what each of the d means.

    Numbers stay what they are; truth values become 0 and 1, dates days since 1970 (with fractions, in UTC), categories
    one column each, 1 where they hold. Gaps of numbers and dates are filled with the median of the column, those of
    categories with zeros.

    Raises
    ------
    InvalidInput
        A column holds text without a vocabulary, a word outside of it, a gap that was not declared, or no value at all;
        the message names the column and the first row, never the value.
    """
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise InvalidInput(Reason.FIELD_INVALID, "Two columns have the same name.", field="rows")
    schema.check_names(names)
    encoded = [part for column in columns for part in _encoded(column, schema)]
    if not encoded:
        raise InvalidInput(Reason.SHAPE_MISMATCH, "The table has no columns.", field="rows")
    descriptions = dict(enumerate(description for description, _ in encoded))
    return np.stack([values for _, values in encoded], axis=1), FeatureSpace(len(encoded), descriptions)


def _encoded(column: Column, schema: TableSchema) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Descriptions and values [n] of the columns that a column becomes."""
    name = column.name
    gaps = _gaps(column.values)
    if gaps.all():
        raise _invalid(Reason.NOT_FINITE, f"Column {name!r} holds no value.")
    if gaps.any() and name not in schema.missing:
        raise _invalid(
            Reason.NOT_FINITE,
            f"Column {name!r} has a gap in row {int(gaps.argmax())}; declare it as one that may have some.",
        )
    vocabulary = tuple(schema.vocabulary.get(name, column.vocabulary))
    if vocabulary:
        yield from _categories(column, gaps, vocabulary)
    else:
        description, values = _dates(column, gaps) if _is_date(column, schema) else _plain(column, gaps)
        meaning, unit = schema.meanings.get(name), schema.units.get(name)
        described = f"{description}: {meaning}" if meaning else description
        yield described + (f" [{unit}]" if unit else ""), _filled(values, gaps)
    if name in schema.missing:
        yield f"{name} is missing (0 or 1)", gaps.astype(np.float64)


def _gaps(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    if values.dtype.kind == "M":
        return np.asarray(np.isnat(values))
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    # None, NaN, NaT and pandas' NA: none of them is equal to itself beyond doubt.
    return np.array([value is None or str(value) == "" or not _is_itself(value) for value in values], dtype=bool)


def _is_itself(value: object) -> bool:
    try:
        return bool(value == value)  # NaN is not
    except TypeError:  # pandas' NA says neither yes nor no
        return False


def _categories(
    column: Column, gaps: NDArray[np.bool_], vocabulary: tuple[str, ...]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    index = {word: position for position, word in enumerate(vocabulary)}
    codes = np.array([-1 if gap else index.get(str(word), -2) for word, gap in zip(column.values, gaps, strict=True)])
    unknown = codes == -2
    if unknown.any():
        raise _invalid(
            Reason.FIELD_INVALID,
            f"Column {column.name!r} holds a word in row {int(unknown.argmax())} that its vocabulary lacks.",
        )
    for position, word in enumerate(vocabulary):
        yield f"{column.name} = {word} (0 or 1)", (codes == position).astype(np.float64)


def _is_date(column: Column, schema: TableSchema) -> bool:
    return column.values.dtype.kind == "M" or column.name in schema.dates


def _dates(column: Column, gaps: NDArray[np.bool_]) -> tuple[str, NDArray[np.float64]]:
    try:
        moments = np.where(gaps, np.datetime64("NaT"), column.values).astype("datetime64[us]")
    except (TypeError, ValueError) as error:
        raise _invalid(Reason.FIELD_INVALID, f"Column {column.name!r} holds what is no ISO 8601 date.") from error
    return f"{column.name} (date, days since 1970)", (moments - np.datetime64(0, "us")) / _DAY


def _plain(column: Column, gaps: NDArray[np.bool_]) -> tuple[str, NDArray[np.float64]]:
    present = column.values[~gaps]
    if present.dtype.kind not in "biufO" or any(isinstance(value, str | bytes | complex) for value in present):
        raise _invalid(
            Reason.FIELD_INVALID, f"Column {column.name!r} holds text; declare its vocabulary, or that it is a date."
        )
    values = np.full(len(gaps), np.nan)
    try:
        values[~gaps] = present.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise _invalid(Reason.FIELD_INVALID, f"Column {column.name!r} holds something that is no number.") from error
    return column.name, values


def _filled(values: NDArray[np.float64], gaps: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.where(gaps, np.median(values[~gaps]), values)


def _invalid(reason: Reason, message: str) -> InvalidInput:
    return InvalidInput(reason, message, field="rows")
