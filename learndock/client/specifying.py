"""Specifications made on this machine: the data they summarise never leaves it."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, Modality
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.gaussian_mechanism import PrivacyBudget
from learndock.rkme.private import PrivateSpecification, refuse_gaps
from learndock.rkme.private import specify_privately as release
from learndock.rkme.random_features import DEFAULT_FREQUENCIES, FeatureMap
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
    modality: Modality | str = Modality.TABLE,
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
        What the data is: "table", "image" or "text".
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
    kind = _modality(modality)
    if kind is Modality.TABLE:
        return _specify_table(data, options, schema, input_space, progress)
    return _specify_items(data, kind, encoder, options, progress)  # type: ignore[arg-type]  # the encoder checks


def _modality(word: str) -> Modality:
    try:
        return Modality(word.upper())
    except ValueError:
        known = ", ".join(each.lower() for each in Modality)
        raise InvalidInput(Reason.FIELD_INVALID, f"{word!r} is none of {known}.", field="modality") from None


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


def specify_privately(
    data: ArrayLike | str | PathLike[str],
    *,
    epsilon: float,
    delta: float,
    ranges: ArrayLike,
    frequency_count: int = DEFAULT_FREQUENCIES,
    map_seed: int = 0,
    schema: TableSchema = PLAIN,
) -> PrivateSpecification:
    """Summarise a table with differential privacy: a noisy mean, no atoms. It is good for searching only.

    Parameters
    ----------
    data
        Rows [n, d], a data frame, an Arrow table, or the path of a .csv, .parquet, .npy or .npz file; useful from
        about 10,000 rows at epsilon 1.
    epsilon, delta
        What the release may give away, see `learndock.rkme.gaussian_mechanism.PrivacyBudget`. Every further release
        of the same rows spends as much again.
    ranges
        Lower and higher number of each column, [d, 2]. Declare what you know without looking at these rows: ranges
        that are read off them give something away that no noise covers.
    frequency_count, map_seed
        Size and seed of the public feature map.
    schema
        What becomes of a table's columns that are no plain numbers; no columns with gaps.

    Raises
    ------
    InvalidInput
        A bound is broken, the ranges do not fit the columns, or delta is not below 1 / rows.
    """
    from learndock.rkme.tables import read_rows

    budget = PrivacyBudget(epsilon, delta)
    feature_map = FeatureMap.of_ranges(ranges, frequency_count=frequency_count, seed=map_seed)
    refuse_gaps(schema)
    if not isinstance(data, str | PathLike):
        return release(data, budget=budget, feature_map=feature_map, schema=schema)
    rows, _ = read_rows(Path(data), schema)
    return release(rows, budget=budget, feature_map=feature_map)


def save(specification: Specification | PrivateSpecification, path: str | PathLike[str]) -> None:
    """Write a specification as a file, in the reference engine's format; a private one, which it lacks, in our own."""
    from learndock.rkme.interchange import write_reference
    from learndock.rkme.private_file import write_private

    if isinstance(specification, PrivateSpecification):
        Path(path).write_bytes(write_private(specification))
    else:
        Path(path).write_bytes(write_reference(specification))


def load_task(path: str | PathLike[str]) -> Specification | PrivateSpecification:
    """Read what can be searched with: a specification file as `load` reads it, or one of a private specification.

    Raises
    ------
    InvalidInput
        The file is neither; the error names the key at fault.
    """
    from learndock.rkme.private_file import is_private, read_private

    content = Path(path).read_bytes()
    return read_private(content) if is_private(content) else load(path)


def load(path: str | PathLike[str]) -> Specification:
    """Read a specification file, ours or the reference engine's.

    The reference's image files hold pictures; they come back encoded as our image specifications are, so that the two
    can be compared.

    Raises
    ------
    InvalidInput
        The file is no specification; the error names the key at fault.
    """
    from learndock.encoders.reference_images import comparable
    from learndock.rkme.interchange import read_reference

    return comparable(read_reference(Path(path).read_bytes()))
