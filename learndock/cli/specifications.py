"""Commands that look into specifications: describe, compare, sample, plot."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from learndock.cli.options import Json
from learndock.cli.output import emit_json, print_facts, print_table
from learndock.cli.progress import spinner
from learndock.cli.specifying import facts_of
from learndock.client import specifying

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A specification file.")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]

app = typer.Typer(no_args_is_help=True, help="Look into specification files, ours and the reference engine's.")


@app.command(epilog="Example: learndock specification describe task.json")
def describe(file: File, *, json: Json = False) -> None:
    """Tell what a specification holds: its size, its report, mean and spread of each column."""
    from learndock.rkme.describe import describe as description_of

    specification = specifying.load(file)
    description = description_of(specification)
    facts = facts_of(specification) | {"effective_atoms": round(description.effective_atom_count, 2)}
    names = specification.input.descriptions if specification.input else {}
    columns = [
        (names.get(position, str(position)), float(mean), float(deviation))
        for position, (mean, deviation) in enumerate(
            zip(description.column_means, description.column_deviations, strict=True)
        )
    ]
    if json:
        emit_json(facts | {"columns": columns})
        return
    print_facts(facts)
    rows = ((name, f"{mean:.6g}", f"{deviation:.6g}") for name, mean, deviation in columns)
    print_table(("column", "mean", "deviation"), rows, empty="No columns.")


@app.command(epilog="Example: learndock specification compare ours.json theirs.json")
def compare(
    first: File,
    second: File,
    *,
    permutations: Annotated[int, typer.Option(min=1, max=100_000, help="Random divisions to compare with.")] = 999,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Tell how far two specifications are apart, and whether by more than chance."""
    from learndock.rkme.discrepancy import permutation_test

    with spinner("Comparing"):
        found = permutation_test(
            specifying.load(first),
            specifying.load(second),
            np.random.default_rng(seed),
            permutations=permutations,
        )
    _tell(asdict(found), json=json)


@app.command(epilog="Example: learndock specification sample task.json --count 500 --out points.npy")
def sample(
    file: File,
    *,
    out: Annotated[Path, typer.Option(help="File to write the points to, .npy.")],
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Points wanted.")] = 1000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Draw points that follow the specified distribution, by kernel herding."""
    from learndock.rkme.sample import herd

    with spinner("Sampling"):
        points = herd(specifying.load(file), count, np.random.default_rng(seed))
    np.save(out, points)
    _tell({"path": out, "points": len(points), "dimension": points.shape[1]}, json=json)


@app.command(epilog="Example: learndock specification plot task.json --out task.svg")
def plot(
    file: File,
    *,
    out: Annotated[Path, typer.Option(help="Picture to write, .png or .svg.")],
    json: Json = False,
) -> None:
    """Draw a specification: its atoms on the first two principal directions, or as the pictures they are."""
    from learndock.rkme.plot import save_plot

    save_plot(specifying.load(file), out)
    _tell({"path": out}, json=json)


def _tell(facts: dict[str, object], *, json: bool) -> None:
    if json:
        emit_json(facts)
    else:
        print_facts(facts)
