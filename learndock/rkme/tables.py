"""Tables in the owner's files: .npy, .npz, .csv and .parquet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import csv
from itertools import chain
from pathlib import Path
import zipfile

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.extras import module_of
from learndock.learnware import FeatureSpace
from learndock.rkme.columns import PLAIN, Column, TableSchema, encode_columns
from learndock.rkme.frames import columns_of

_NPZ_KEY = "X"
_DELIMITERS = (",", ";", "\t")

Table = tuple[NDArray[np.generic], FeatureSpace | None]
"""Rows, and the meaning of their columns where the file names them."""


def read_rows(path: str | Path, schema: TableSchema = PLAIN) -> Table:
    """Rows [n, ...] of a file, and the meaning of its columns if it names them.

    `.npy` holds one array; `.npz` one of the name X; `.csv` cells separated by commas, semicolons or tabs, with a
    header if a cell of its first line is no number; `.parquet` columns of any type. Nothing in a file is executed.

    Parameters
    ----------
    path
        The file.
    schema
        What becomes of columns that are no numbers, see `columns.encode_columns`; it needs a file with names.

    Raises
    ------
    InvalidInput
        The file is missing, of another kind or damaged, or holds what is no number; the message names the line and
        the column of a cell, not its content. Or a column does not fit the schema.
    FailedPrecondition
        The file needs a package that is not installed (EXTRA_MISSING).
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*_READERS, *_NAMED_READERS):
        raise _invalid(f"{path.name} is none of {', '.join((*_READERS, *_NAMED_READERS))}.")
    named = _NAMED_READERS.get(suffix) if schema or suffix not in _READERS else None
    if schema and named is None:
        raise _invalid(f"{path.name} names no columns, so that a schema says nothing of it.")
    try:
        return encode_columns(named(path), schema) if named else _READERS[suffix](path)
    except OSError as error:
        raise _invalid(f"{path} cannot be read: {error.strerror or 'it is damaged'}.") from error


def _read_npy(path: Path) -> Table:
    try:
        return np.load(path, allow_pickle=False), None
    except (ValueError, EOFError) as error:
        raise _invalid(f"{path.name} holds no array of numbers.") from error


def _read_npz(path: Path) -> Table:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[_NPZ_KEY], None
    except KeyError as error:
        raise _invalid(f"{path.name} holds no array of the name {_NPZ_KEY}.") from error
    except (ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise _invalid(f"{path.name} holds no arrays of numbers.") from error


def _read_csv(path: Path) -> Table:
    try:
        header, delimiter = _first_line(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            if header:
                next(csv.reader(lines, delimiter=delimiter))
            body = filter(str.strip, lines)  # an empty file would only be warned of
            first = next(body, None)
            if first is None:
                raise _invalid(f"{path.name} holds no rows.")
            rows = np.loadtxt(chain([first], body), delimiter=delimiter, ndmin=2, comments=None, quotechar='"')
    except UnicodeDecodeError as error:
        raise _invalid(f"{path.name} is not UTF-8 text.") from error
    except csv.Error as error:
        raise _invalid(f"{path.name} is not a table of comma-separated values.") from error
    except ValueError as error:
        raise _at_fault(path, header, delimiter) from error
    if not header:
        return rows, None
    if len(header) != rows.shape[1]:
        raise _invalid(f"The header of {path.name} names {len(header)} columns of {rows.shape[1]}.")
    return rows, FeatureSpace(len(header), dict(enumerate(header)))


def _columns_of_csv(path: Path) -> Sequence[Column]:
    try:
        header, delimiter = _first_line(path)
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter)
            next(reader, None)
            records = [cells for cells in reader if cells]
    except UnicodeDecodeError as error:
        raise _invalid(f"{path.name} is not UTF-8 text.") from error
    except csv.Error as error:
        raise _invalid(f"{path.name} is not a table of comma-separated values.") from error
    if not header or not records:
        raise _invalid(f"{path.name} holds no {'rows' if header else 'names of columns'}.")
    for position, cells in enumerate(records):
        if len(cells) != len(header):
            raise _invalid(f"Row {position} of {path.name} has {len(cells)} columns, not {len(header)}.")
    return [Column(name, _typed(cells)) for name, cells in zip(header, zip(*records, strict=True), strict=True)]


def _typed(cells: Sequence[str]) -> NDArray[np.generic]:
    """Numbers where every cell is one or empty, else the words, None for an empty one."""
    words = [cell.strip() for cell in cells]
    if all(not word or _is_number(word) for word in words):
        return np.array([float(word or "nan") for word in words])
    return np.array([word or None for word in words], dtype=object)


def _columns_of_parquet(path: Path) -> Sequence[Column]:
    parquet, arrow = module_of("tables", "pyarrow.parquet"), module_of("tables", "pyarrow")
    try:
        return columns_of(parquet.read_table(path))
    except arrow.ArrowException as error:
        raise _invalid(f"{path.name} holds no Parquet table.") from error


def _first_line(path: Path) -> tuple[list[str], str]:
    """Column names, empty if the first line holds numbers only, and the delimiter."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        delimiter = max(_DELIMITERS, key=first.count)
        cells = next(csv.reader(chain([first], lines), delimiter=delimiter), [])
    return ([] if all(map(_is_number, cells)) else [cell.strip() for cell in cells]), delimiter


def _at_fault(path: Path, header: list[str], delimiter: str) -> InvalidInput:
    """The error that names the first line and column that is no number, or the line of another length."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, delimiter=delimiter)
        width = len(header)
        for number, cells in enumerate(filter(None, reader)):
            if number == 0 and header:
                continue
            width = width or len(cells)
            if len(cells) != width:
                return _invalid(f"Line {reader.line_num} of {path.name} has {len(cells)} columns, not {width}.")
            for index, cell in enumerate(cells):
                if not _is_number(cell):
                    name = repr(header[index]) if header else index + 1
                    wrong = "is no number" if cell.strip() else "is empty"
                    return _invalid(f"Column {name} in line {reader.line_num} of {path.name} {wrong}.")
    return _invalid(f"{path.name} does not hold a table of numbers.")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(Reason.FIELD_INVALID, message, field="path")


_READERS: Mapping[str, Callable[[Path], Table]] = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
_NAMED_READERS: Mapping[str, Callable[[Path], Sequence[Column]]] = {
    ".csv": _columns_of_csv,
    ".parquet": _columns_of_parquet,
}
