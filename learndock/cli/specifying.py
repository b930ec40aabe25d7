"""The command that makes specifications: specify."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from learndock.cli.options import Json
from learndock.cli.output import emit_json, print_facts
from learndock.cli.progress import build_bar
from learndock.client import specifying
from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.specification import Specification

# What each key of a schema file holds.
_SCHEMA_KEYS: Mapping[str, Callable[[object], bool]] = {
    "vocabulary": lambda value: isinstance(value, dict) and all(map(_is_words, value.values())),
    "dates": lambda value: _is_words(value),
    "missing": lambda value: _is_words(value),
    "units": lambda value: isinstance(value, dict) and _is_words(list(value.values())),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: learndock specify X.csv --out task.json")(specify)


def specify(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            exists=True,
            help="Rows: a .csv, .parquet, .npy or .npz file. Images: a folder or a .npy file. Texts: a file with one a"
            " line, or a folder of .txt files.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="File to write the specification to.")],
    modality: Annotated[Modality, typer.Option(case_sensitive=False, help="What the data is.")] = Modality.TABLE,
    encoder: Annotated[
        str, typer.Option(metavar="NAME", help="Encoder of images or texts; default: the usual one.")
    ] = "",
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help='JSON file on columns that are no plain numbers: {"vocabulary": {"wind": ["N", "S"]}, "dates": [...],'
            ' "missing": [...], "units": {...}}.',
        ),
    ] = None,
    atoms: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Atoms wanted; default: rows / 20, 8 to 100.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same rows and seed give the same bytes.")] = 0,
    few_rows: Annotated[
        bool, typer.Option("--allow-few-rows", help="Permit fewer than 40 rows, which a summary can hardly hide.")
    ] = False,
    json: Json = False,
) -> None:
    """Summarise a data set as a specification, on this machine; tells how faithful and how private it is."""
    declared = _read_schema(schema) if schema else PLAIN
    with build_bar(f"Summarising {data.name}") as progress:
        specification = specifying.specify(
            data,
            modality=modality,
            encoder=encoder,
            atom_count=atoms,
            seed=seed,
            allow_few_rows=few_rows,
            schema=declared,
            progress=progress,
        )
    specifying.save(specification, out)
    facts = {"path": out, **facts_of(specification)}
    if json:
        emit_json(facts)
    else:
        print_facts(facts)


def facts_of(specification: Specification) -> dict[str, object]:
    """What a specification says of itself."""
    fidelity, privacy = specification.fidelity, specification.privacy
    facts: dict[str, object] = {
        "atoms": specification.atom_count,
        "dimension": specification.dimension,
        "rows": specification.row_count,
    }
    if specification.encoder:
        facts["encoder"] = f"{specification.encoder} {specification.encoder_revision}"
    if specification.languages:
        facts["languages"] = ", ".join(specification.languages)
    if fidelity is not None:
        facts["fidelity_mmd2"] = fidelity.mmd2
    if privacy is not None:
        facts["privacy_min_distance_ratio"] = privacy.min_distance_ratio
        facts["privacy_min_rows_per_atom"] = privacy.min_rows_per_atom
        facts["privacy_membership_auc"] = privacy.membership_auc
        facts["privacy_perturbed_atoms"] = privacy.perturbed_atoms
    return facts


def _read_schema(path: Path) -> TableSchema:
    try:
        document = json_text.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(Reason.FIELD_INVALID, f"{path.name} is not UTF-8 JSON.", field="schema") from error
    if not isinstance(document, dict) or not set(document) <= set(_SCHEMA_KEYS):
        raise InvalidInput(
            Reason.FIELD_INVALID, f"{path.name} is no object of {', '.join(_SCHEMA_KEYS)}.", field="schema"
        )
    for key, value in document.items():
        if not _SCHEMA_KEYS[key](value):
            raise InvalidInput(Reason.FIELD_INVALID, f"{key} of {path.name} holds no names.", field=f"schema.{key}")
    return TableSchema(**document)


def _is_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)
