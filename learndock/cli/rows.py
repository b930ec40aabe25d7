"""Rows and texts from files, and predictions to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import typer

from learndock.client import specifying
from learndock.extras import module_of
from learndock.reuse.member import Inputs
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification

WRITTEN = (".npy", ".csv", ".parquet")
"""Kinds of files that predictions can be written to."""

_TEXTS = ".txt"


def read_inputs(path: Path) -> Inputs:
    """Texts of a .txt file, one a line; rows of any other.

    Raises
    ------
    InvalidInput
        It holds what is neither.
    """
    if path.suffix.lower() == _TEXTS:
        from learndock.encoders.texts import Texts

        return list(Texts.of(path).values)
    from learndock.rkme.tables import read_rows

    return read_rows(path)[0]


def specified(path: Path) -> Specification | PrivateSpecification:
    """What the rows or texts of a file look like; errors as of `specifying.specify`."""
    return specifying.specify(path, modality="text" if path.suffix.lower() == _TEXTS else "table")


def check_writable(path: Path) -> None:
    """Refuse a file of a kind that predictions are not written to, before anything is predicted."""
    if path.suffix.lower() not in WRITTEN:
        raise typer.BadParameter(f"{path.name} is none of {', '.join(WRITTEN)}", param_hint="--out")


def write_predictions(path: Path, outputs: NDArray[np.generic]) -> None:
    """Write predictions [n] or [n, c]: an array, comma-separated numbers, or Parquet columns named 0 to c - 1.

    Raises
    ------
    FailedPrecondition
        Parquet needs a package that is not installed (EXTRA_MISSING).
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        np.savetxt(path, outputs, delimiter=",", fmt="%.10g")
    elif suffix == ".parquet":
        arrow, parquet = module_of("tables", "pyarrow"), module_of("tables", "pyarrow.parquet")
        columns = outputs.reshape(len(outputs), -1).T
        parquet.write_table(arrow.table({str(number): column for number, column in enumerate(columns)}), path)
    else:
        np.save(path, outputs, allow_pickle=False)
