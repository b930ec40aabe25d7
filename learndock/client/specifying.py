"""Specifications made on this machine: the data they summarise never leaves it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from numpy.typing import ArrayLike

from learndock.learnware import FeatureSpace
from learndock.rkme.specification import Specification


def specify(
    data: ArrayLike | str | PathLike[str],
    *,
    atom_count: int | None = None,
    iterations: int = 30,
    seed: int = 0,
    allow_few_rows: bool = False,
    input_space: FeatureSpace | None = None,
) -> Specification:
    """Summarise a data set as a reduced kernel mean embedding.

    Parameters
    ----------
    data
        Rows [n, d], or the path of a .csv or .npy file that holds them.
    atom_count, iterations, seed, allow_few_rows
        As in `learndock.rkme.fit.BuildOptions`.
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
    from learndock.rkme.fit import BuildOptions, build_specification  # imports torch
    from learndock.rkme.tables import read_rows

    options = BuildOptions(atom_count, iterations, seed, allow_few_rows)
    if not isinstance(data, str | PathLike):
        return build_specification(data, options=options, input=input_space)
    rows, described = read_rows(Path(data))
    return build_specification(rows, options=options, input=input_space or described)


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
