"""Commands that exchange learnwares with docks of the reference: import, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from learndock.cli.failures import ExitCode
from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_line, print_table
from learndock.cli.progress import spinner, transfer_bar
from learndock.learnware import Visibility


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import", epilog="Example: learndock import ~/.learnware/default")(import_)
    app.command(epilog="Example: learndock export 00000001 00000002 --out exported")(export)


def import_(
    context: typer.Context,
    path: Annotated[
        Path,
        typer.Argument(exists=True, help="A reference market's folder, or a folder of packages, packed or unpacked."),
    ],
    *,
    private: Annotated[bool, typer.Option("--private", help="Only you and admins may see them.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=16, help="Packages that are sent at a time.")] = 4,
    json: Json = False,
) -> None:
    """Submit all packages of a reference dock; after a break, run it again and only what is missing is sent."""
    visibility = Visibility.PRIVATE if private else Visibility.PUBLIC
    with connect(context) as dock, spinner(f"Importing {path.name}"):
        found = tuple(dock.import_packages(path, visibility=visibility, parallel=parallel))
    if json:
        emit_json(found)
    else:
        rows = ((each.source.name, each.outcome, each.learnware_id, each.message) for each in found)
        print_table(("package", "outcome", "id", "reason"), rows, empty="")
    if any(each.outcome == "REFUSED" for each in found):
        raise typer.Exit(ExitCode.REJECTED)


def export(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of learnwares.")],
    *,
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to put them in.")] = Path(),
    json: Json = False,
) -> None:
    """Fetch learnwares as packages that a dock of the reference takes, ID.zip each."""
    out.mkdir(parents=True, exist_ok=True)
    with connect(context) as dock:
        paths = []
        for learnware_id in ids:
            with transfer_bar(f"Fetching {learnware_id}") as progress:
                paths.append(dock.export(learnware_id, out, progress=progress))
    if json:
        emit_json([{"learnware_id": each, "path": path} for each, path in zip(ids, paths, strict=True)])
    else:
        for path in paths:
            print_line(f"{path} is complete.")
