"""Specifications made on this machine: the data they summarise never leaves it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from learndock.learnware import FeatureSpace
from learndock.rkme.specification import Specification

if TYPE_CHECKING:
    from learndock.rkme.fit import BuildOptions


def specify(
    data: ArrayLike | str | PathLike[str],
    *,
    options: BuildOptions | None = None,
    input_space: FeatureSpace | None = None,
) -> Specification:
    """Summarise a data set as a reduced kernel mean embedding.

    Parameters
    ----------
    data
        Rows [n, d], or the path of a .csv or .npy file that holds them.
    options
        How to build; None for the defaults.
    input_space
        Meaning of the columns; None takes it from the head of a .csv file.

    Returns
    -------
    Specification
        With its fidelity and privacy report.

    Raises
    ------
    InvalidInput
        Too few rows, NaN, or a file that does not hold a table.
    """
    from learndock.rkme import fit  # imports torch

    rows: ArrayLike = data if not isinstance(data, str | PathLike) else ()
    if isinstance(data, str | PathLike):
        from learndock.rkme.tables import read_rows

        rows, described = read_rows(Path(data))
        input_space = input_space or described
    return fit.build_specification(np.asarray(rows), options=options or fit.BuildOptions(), input=input_space)


def save(specification: Specification, path: str | PathLike[str]) -> None:
    """Write a specification as a file, in the reference engine's format."""
    from learndock.rkme.interchange import write_reference

    Path(path).write_bytes(write_reference(specification))


def load(path: str | PathLike[str]) -> Specification:
    """Read a specification file.

    Raises
    ------
    InvalidInput
        The file is no specification; the error names the key at fault.
    """
    from learndock.rkme.interchange import read_reference

    return read_reference(Path(path).read_bytes())
