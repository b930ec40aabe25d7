"""The command that finds learnwares: search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_line, print_table
from learndock.cli.progress import spinner
from learndock.client import specifying
from learndock.client.across import Across
from learndock.client.result import SearchResult
from learndock.client.values import SearchAdvice, Single
from learndock.learnware import FeatureSpace, FormatClass, SemanticFilter, Visibility
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from learndock.schema.units import Conversion

Words = Annotated[list[str] | None, typer.Option(metavar="WORD", help="Admit only this; may be given several times.")]

_ADVICE = {
    SearchAdvice.USE_MIXTURE: "The mixture fits much better than any single: reuse it with --strategy JOB_SELECTOR.",
    SearchAdvice.LIKELY_NOTHING_FITS: "No answer is closer than chance: reuse is unlikely to help.",
    SearchAdvice.NO_COMPARABLE_LEARNWARE: "No learnware can be compared with this specification.",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: learndock search --data X.csv --task Classification --text wine")(search)


def search(
    context: typer.Context,
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Rows of the task, .csv or .npy.")
    ] = None,
    specification: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Specification file, as `specify` writes it."),
    ] = None,
    text: Annotated[str, typer.Option(help="Words to be found in name or description.")] = "",
    task: Words = None,
    data_type: Words = None,
    library: Words = None,
    license_: Annotated[
        list[str] | None, typer.Option("--license", metavar="WORD", help="Admit only this licence.")
    ] = None,
    scenario: Words = None,
    owner: Words = None,
    format_: Annotated[
        list[FormatClass] | None, typer.Option("--format", help="Admit only models stored this way.")
    ] = None,
    visibility: Annotated[
        list[Visibility] | None, typer.Option(help="Admit only learnwares seen by all, or only private ones.")
    ] = None,
    input_: Annotated[
        list[str] | None, typer.Option("--input", metavar="TEXT", help="To be found in an input column's description.")
    ] = None,
    output: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="To be found in a class's or output's description.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="How many to show.")] = 10,
    across: Annotated[
        Across, typer.Option(help="When to look at learnwares of other columns, by what the columns mean.")
    ] = Across.WHERE_NOTHING_FITS,
    json: Json = False,
) -> None:
    """Find the learnwares that fit a task: by its data (which stay here), by words, or both."""
    if data and specification:
        raise typer.BadParameter("give --data or --specification, not both", param_hint="--data")
    admitted = SemanticFilter(
        data=tuple(data_type or ()),
        tasks=tuple(task or ()),
        libraries=tuple(library or ()),
        scenarios=tuple(scenario or ()),
        licenses=tuple(license_ or ()),
        owner_ids=tuple(owner or ()),
        format_classes=tuple(format_ or ()),
        visibilities=tuple(visibility or ()),
        inputs=tuple(input_ or ()),
        outputs=tuple(output or ()),
        text=text,
    )
    with connect(context) as dock, spinner("Searching"):
        result = dock.search(_specification(data, specification), filter=admitted, top_k=top, across=across)
    if json:
        emit_json(result)
    else:
        print_result(result)


def print_result(result: SearchResult) -> None:
    """Print an answer: singles, mixture, what is proven, what to make of it."""
    if not result.island_id:
        _print_by_words(result)
        return
    print_table(
        ("rank", "id", "version", "MMD2", "percentile", "name", "format"),
        (
            (s.rank, s.learnware_id, s.version, f"{s.mmd2:.3e}", f"{s.percentile:.1f} %", _name(s), s.format_class)
            for s in result.singles
        ),
        empty="Nothing found.",
    )
    _print_across(result)
    if result.mixture is not None:
        shares = " + ".join(f"{m.weight:.2f} x {m.learnware_id}" for m in result.mixture.members)
        print_line(f"Mixture: {shares}, MMD2 {result.mixture.mmd2:.3e}")
    certificate = result.certificate
    proven = "Certified" if certificate.certified else "Not certified"
    print_line(f"{proven}: {certificate.scored} of {certificate.admitted} learnwares scored.")
    if certificate.remark:
        print_line(certificate.remark)
    if result.advice is not None:
        print_line(_ADVICE[result.advice])


def _print_across(result: SearchResult) -> None:
    """Learnwares of other feature spaces, and which columns of the nearest are taken for the task's."""
    if not result.across:
        return
    print_table(
        ("rank", "id", "version", "distance", "in common", "name"),
        (
            (a.rank, a.learnware_id, a.version, f"{a.distance:.3e}", f"{a.shared:.0%}", a.semantic_specification.name)
            for a in result.across
        ),
        empty="",
    )
    nearest = result.across[0]
    print_line(f"Other feature spaces. {nearest.learnware_id}: {nearest.explanation}")
    print_table(
        ("your column", "its column", "confidence", "conversion"),
        (
            (
                _column(result.task_input, match.task_column),
                _column(nearest.semantic_specification.input, match.learnware_column),
                f"{match.confidence:.2f}",
                ""
                if match.conversion.changes_nothing
                else f"x {match.conversion.factor:g} + {match.conversion.offset:g}",
            )
            for match in nearest.columns
        ),
        empty="",
    )


def _converted(conversion: Conversion) -> str:
    return "" if conversion.changes_nothing else f"x {conversion.factor:g} + {conversion.offset:g}"


def _column(space: FeatureSpace | None, position: int) -> str:
    return space.descriptions.get(position, str(position)) if space else str(position)


def _print_by_words(result: SearchResult) -> None:
    print_table(
        ("rank", "id", "version", "name", "format"),
        ((s.rank, s.learnware_id, s.version, _name(s), s.format_class) for s in result.singles),
        empty="Nothing found.",
    )
    if result.advice is not None:
        print_line(_ADVICE[result.advice])


def _name(single: Single) -> str:
    return single.semantic_specification.name


def _specification(data: Path | None, file: Path | None) -> Specification | PrivateSpecification | None:
    if data is not None:
        return specifying.specify(data)
    return specifying.load_task(file) if file is not None else None
