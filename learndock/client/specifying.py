"""Specifications made on this machine: the data they summarise never leaves it."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from learndock.learnware import FeatureSpace, Modality
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.specification import Specification

if TYPE_CHECKING:
    from learndock.encoders.encoder import Items
    from learndock.rkme.fit import BuildOptions

Progress = Callable[[str, float], None]
"""Told the stage and the share of the whole that is done; stops the work by raising."""


def silent(stage: str, share: float) -> None:
    """Report to nobody."""


def specify(
    data: ArrayLike | Items | str | PathLike[str],
    *,
    modality: Modality = Modality.TABLE,
    encoder: str = "",
    atom_count: int | None = None,
    iterations: int = 30,
    seed: int = 0,
    allow_few_rows: bool = False,
    schema: TableSchema = PLAIN,
    input_space: FeatureSpace | None = None,
    progress: Progress = silent,
) -> Specification:
    """Summarise a data set as a reduced kernel mean embedding.

    Parameters
    ----------
    data
        A table: rows [n, d], a data frame, an Arrow table, or the path of a .csv, .parquet, .npy or .npz file. Images
        and texts: an array, a list, or the path of a file or folder.
    modality
        What the data is.
    encoder
        Name of the encoder of images or texts; empty for the usual one of the modality.
    atom_count, iterations, seed, allow_few_rows
        As in `learndock.rkme.fit.BuildOptions`.
    schema
        What becomes of a table's columns that are no plain numbers.
    input_space
        Meaning of a table's columns; None takes what the data tells.
    progress
        Told what is done; may raise to stop.

    Returns
    -------
    Specification
        With its fidelity and privacy report.

    Raises
    ------
    InvalidInput
        Too few rows, NaN, or a file that does not hold what it should.
    FailedPrecondition
        An optional package is not installed; the message names the extra that brings it.
    """
    from learndock.rkme.fit import BuildOptions  # imports torch

    options = BuildOptions(atom_count, iterations, seed, allow_few_rows)
    if modality is Modality.TABLE:
        return _specify_table(data, options, schema, input_space, progress)
    return _specify_items(data, modality, encoder, options, progress)  # type: ignore[arg-type]  # the encoder checks


def _specify_table(
    data: object, options: BuildOptions, schema: TableSchema, input_space: FeatureSpace | None, progress: Progress
) -> Specification:
    from learndock.rkme.fit import build_specification
    from learndock.rkme.tables import read_rows

    if not isinstance(data, str | PathLike):
        return build_specification(data, options=options, input=input_space, schema=schema, progress=progress)  # type: ignore[arg-type]
    rows, described = read_rows(Path(data), schema)
    return build_specification(rows, options=options, input=input_space or described, progress=progress)


def _specify_items(
    items: Items, modality: Modality, name: str, options: BuildOptions, progress: Progress
) -> Specification:
    from learndock.encoders.registry import encoder_for
    from learndock.encoders.specify import encode_specification

    return encode_specification(items, encoder_for(modality, name), options=options, progress=progress)


def save(specification: Specification, path: str | PathLike[str]) -> None:
    """Write a specification as a file, in the reference engine's format."""
    from learndock.rkme.interchange import write_reference

    Path(path).write_bytes(write_reference(specification))


def load(path: str | PathLike[str]) -> Specification:
    """Read a specification file, ours or the reference engine's.

    The reference's image files hold pictures; they come back encoded as our image specifications are, so that the two
    can be compared.

    Raises
    ------
    InvalidInput
        The file is no specification; the error names the key at fault.
    """
    from learndock.encoders.reference_images import comparable  # imports torch
    from learndock.rkme.interchange import read_reference

    return comparable(read_reference(Path(path).read_bytes()))
