"""Command that reuses learnwares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from learndock.cli.failures import say
from learndock.cli.options import DataFile, Json, connect
from learndock.cli.output import emit_json, print_line
from learndock.cli.progress import reuser_bar, spinner
from learndock.cli.rows import check_writable, read_inputs, specified, write_predictions
from learndock.client import specifying
from learndock.client.dock import Dock
from learndock.client.result import Reusable
from learndock.client.values import Strategy
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Inputs
from learndock.reuse.prediction import Prediction
from learndock.reuse.priors import prediction_with_priors
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog="Examples: learndock reuse 00000001 --data X.npy --out y.npy; "
        "learndock reuse --search-data X.npy --data X.npy --out y.npy --local; "
        "learndock reuse --search-data X.npy --labelled L.npy --labels t.npy --data X.npy --out y.npy"
    )(reuse)


def reuse(
    context: typer.Context,
    learnware_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Learnwares to reuse, the most important first.")
    ] = None,
    *,
    data: DataFile,
    out: Annotated[Path, typer.Option(help="File to write the predictions to: .npy, .csv or .parquet.")],
    search_data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Find the learnwares by these rows or texts instead of naming them.",
        ),
    ] = None,
    specification: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Find the learnwares by this specification; one that tells what its columns are finds those of other"
            " columns, too.",
        ),
    ] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="How several answer as one; default: the dock's.")] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Run the models in this machine's sandbox: the rows stay here.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Truth of the rows of --labelled, one number a row: AUTO and other strategies learn from it.",
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="The rows that --labels are for."),
    ] = None,
    priors: Annotated[
        str | None,
        typer.Option(metavar="P,P,...", help="How frequent each class is known to be among the rows, such as 0.9,0.1."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help="File to write a package to that answers like this: submit it as a learnware of its own."),
    ] = None,
    json: Json = False,
) -> None:
    """Predict for the rows of a file with one learnware or several.

    Where they are found, and neither --strategy nor --priors is given, classes that hardly occur among the rows are
    held back.
    """
    if bool(labels) != bool(labelled):
        raise typer.BadParameter("give --labels and --labelled together", param_hint="--labels")
    if sum(map(bool, (learnware_ids, search_data, specification))) != 1:
        raise typer.BadParameter("give ids, --search-data or --specification, one of them", param_hint="ID")
    check_writable(out)
    rows = read_inputs(data)
    shares = _numbers(priors) if priors else None
    with connect(context) as dock:
        found: Reusable = learnware_ids or dock.search(_task(search_data or data, specification))
        known = _labelled(labelled, labels) if labelled and labels else None
        adapting = not (learnware_ids or strategy or shares)
        prediction, used, explanation = _predict(
            dock, found, rows, strategy, known, adapting=adapting, local=local, save=save
        )
    write_predictions(out, prediction.outputs if shares is None else prediction_with_priors(prediction, shares))
    if save:
        print_line(f"The package of this reuse is {save}; learndock submit {save} enters it.")
    for fault in prediction.faults:
        say(f"{fault.learnware_id} was left out: {fault.message}", "The others answered without it.")
    if json:
        summary = {"path": out, "rows": len(rows), "learnware_ids": used, "faults": prediction.faults}
        emit_json(summary | {"explanation": explanation})
    else:
        print_line(f"{len(rows)} predictions of {', '.join(used)} are in {out}.")
        for line in explanation.splitlines():
            print_line(line)
        if prediction.outside is not None and prediction.outside.any():
            print_line(
                f"{int(prediction.outside.sum())} rows are unlike anything that these learnwares were trained on."
            )


def _predict(
    dock: Dock,
    found: Reusable,
    rows: Inputs,
    strategy: Strategy | None,
    known: Labelled | None,
    *,
    adapting: bool,
    local: bool,
    save: Path | None,
) -> tuple[Prediction, list[str], str]:
    if local:
        with spinner("Fetching and starting the models"):
            at_home = dock.reuse(found, strategy=strategy, labelled=known, where="local")
        with at_home:
            prediction = at_home.adapt(rows) if adapting else at_home.answer(rows)
            if save:
                at_home.save(save)
            return prediction, list(at_home.learnware_ids), at_home.explanation
    with reuser_bar("Getting ready") as progress:
        in_dock = dock.reuse(found, strategy=strategy, labelled=known, progress=progress)
    with in_dock, spinner("Predicting"):
        prediction = in_dock.adapt(rows) if adapting else in_dock.answer(rows)
        if save:
            in_dock.save(save)
        return prediction, list(in_dock.learnware_ids), in_dock.reuser.explanation


def _task(rows: Path, specification: Path | None) -> Specification | PrivateSpecification:
    return specifying.load_task(specification) if specification else specified(rows)


def _labelled(rows: Path, labels: Path) -> Labelled:
    truth = np.asarray(read_inputs(labels))
    return Labelled(read_inputs(rows), truth[:, 0] if truth.ndim == 2 and truth.shape[1] == 1 else truth)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter("give numbers, separated by commas", param_hint="--priors") from None
