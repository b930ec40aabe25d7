"""Options that several commands share, and the connection that they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from learndock.client.dock import Dock
from learndock.learnware import SemanticSpecification

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
LearnwareId = Annotated[str, typer.Argument(metavar="ID", help="Id of the learnware, such as 00000001.")]
Package = Annotated[
    Path, typer.Argument(metavar="PACKAGE", exists=True, dir_okay=False, help="The package, a .zip file.")
]
Version = Annotated[int, typer.Option("--version", min=0, help="Version; 0 for the current one.")]
SemanticFile = Annotated[
    Path | None,
    typer.Option(
        "--semantic",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="JSON file that tells what the learnware is for; without it the package's own is taken.",
    ),
]
DataFile = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Rows: a .csv, .parquet, .npy or .npz file. Texts: a .txt file, one a line.",
    ),
]


@dataclass(frozen=True)
class Target:
    """Which dock to speak to, as far as the command line says."""

    address: str | None = None
    token: str | None = None
    ca_file: Path | None = None

    def connect(self) -> Dock:
        """Open the connection; what the command line leaves out comes from environment or credentials file."""
        return Dock(self.address, self.token, ca_file=self.ca_file)


def connect(context: typer.Context) -> Dock:
    """Connection to the dock that the command line names."""
    return target(context).connect()


def target(context: typer.Context) -> Target:
    """The dock that the command line names."""
    named = context.find_root().obj
    return named if isinstance(named, Target) else Target()


def read_semantic(path: Path | None, package: Path | None = None) -> SemanticSpecification | None:
    """Semantic specification in a file; None without one.

    A table's Input that it leaves out is taken from the package's statistical specification, if a package is given.
    """
    if path is None:
        return None
    from learndock.package.semantic import parse_semantic

    semantic = parse_semantic(path.read_bytes())
    if package is None or semantic.input is not None or semantic.data != "Table":
        return semantic
    return _with_input(semantic, package)


def _with_input(semantic: SemanticSpecification, package: Path) -> SemanticSpecification:
    from learndock.package.inspection import inspect_package
    from learndock.package.semantic import with_input_of

    specification = inspect_package(package).specification
    return with_input_of(semantic, specification) if specification is not None else semantic
