"""The command that makes specifications: specify."""

from __future__ import annotations

from collections.abc import Callable, Mapping
import json as json_text
from pathlib import Path
import sys
from typing import Annotated, Any

import typer

from learndock.cli.options import Json
from learndock.cli.output import emit_json, print_facts
from learndock.cli.progress import build_bar
from learndock.client import specifying
from learndock.errors import InvalidInput, Reason
from learndock.learnware import Modality
from learndock.rkme.columns import PLAIN, TableSchema
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import MAX_MEMBERSHIP_AUC, PrivacyReport, Specification

# What each key of a schema file holds.
_SCHEMA_KEYS: Mapping[str, Callable[[object], bool]] = {
    "vocabulary": lambda value: isinstance(value, dict) and all(map(_is_words, value.values())),
    "dates": lambda value: _is_words(value),
    "missing": lambda value: _is_words(value),
    "units": lambda value: isinstance(value, dict) and _is_words(list(value.values())),
    "meanings": lambda value: isinstance(value, dict) and _is_words(list(value.values())),
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
            help='JSON file on columns: {"vocabulary": {"wind": ["N", "S"]}, "dates": [...],'
            ' "missing": [...], "units": {"temp": "degC"}, "meanings": {"temp": "air temperature"}}.',
        ),
    ] = None,
    atoms: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Atoms wanted; default: rows / 20, 8 to 100.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed; the same rows and seed give the same bytes.")] = 0,
    few_rows: Annotated[
        bool, typer.Option("--allow-few-rows", help="Permit fewer than 40 rows, which a summary can hardly hide.")
    ] = False,
    epsilon: Annotated[
        float | None,
        typer.Option(help="Release a table with differential privacy instead: only a noisy mean, for searching."),
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="With --epsilon: how likely its promise may fail; below 1 / rows.")
    ] = None,
    ranges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="With --epsilon: JSON file with the range of each column, [[0, 100], [-1, 1], ...], as you know it"
            " without looking at the data.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Summarise a data set as a specification, on this machine; tells how faithful and how private it is."""
    declared = _read_schema(schema) if schema else PLAIN
    if (epsilon, delta, ranges) != (None, None, None):
        if epsilon is None or delta is None or ranges is None:
            raise typer.BadParameter("give --epsilon, --delta and --ranges, or none", param_hint="--epsilon")
        if (modality, encoder, atoms, seed, few_rows) != (Modality.TABLE, "", None, 0, False):
            raise typer.BadParameter("it goes with --schema only, and with tables", param_hint="--epsilon")
        declared_ranges: Any = _read_json(ranges, "ranges")  # checked where they are used
        private = specifying.specify_privately(
            data, epsilon=epsilon, delta=delta, ranges=declared_ranges, schema=declared
        )
        specifying.save(private, out)
        _tell({"path": out, **facts_of_private(private)}, json=json)
        return
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
    _tell({"path": out, **facts_of(specification)}, json=json)
    if specification.privacy is not None and specification.privacy.at_risk:
        _warn_of_risk(specification.privacy)


def _warn_of_risk(privacy: PrivacyReport) -> None:
    print(
        "Before you publish it: an attack tells rows that it was made of from others with an AUC of "
        f"{privacy.membership_auc:.2f}; 0.50 gives nothing away, {MAX_MEMBERSHIP_AUC:.2f} is tolerated.\n"
        "  Give more rows, or ask for fewer --atoms.",
        file=sys.stderr,
    )


def _tell(facts: dict[str, object], *, json: bool) -> None:
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
        facts["privacy_shared_atoms"] = privacy.shared_atoms
    return facts


def facts_of_private(specification: PrivateSpecification) -> dict[str, object]:
    """What a private specification says of itself."""
    return {
        "dimension": specification.dimension,
        "rows": specification.row_count,
        "features": specification.feature_map.width,
        "epsilon": specification.budget.epsilon,
        "delta": specification.budget.delta,
        "noise": specification.noise,
        "expected_error": specification.expected_error(),
    }


def _read_json(path: Path, field: str) -> object:
    try:
        return json_text.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(Reason.FIELD_INVALID, f"{path.name} is not UTF-8 JSON.", field=field) from error


def _read_schema(path: Path) -> TableSchema:
    document = _read_json(path, "schema")
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
