"""Commands on validation: check a package, read a report."""

from __future__ import annotations

from typing import Annotated

import typer

from learndock.cli.failures import ExitCode
from learndock.cli.options import Json, LearnwareId, Package, SemanticFile, connect, read_semantic
from learndock.cli.output import emit_json, print_line, print_table
from learndock.cli.progress import spinner, validation_bar
from learndock.client.dock import Dock
from learndock.client.values import PackageCheck, Validation
from learndock.examination.report import ValidationReport
from learndock.extras import module_of


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock check wine.zip")(check)
    app.command(epilog="Example: learndock validation 00000001 --log")(validation)


def check(
    context: typer.Context,
    package: Package,
    *,
    semantic: SemanticFile = None,
    in_dock: Annotated[bool, typer.Option("--in-dock", help="Have the dock check it; it is sent along.")] = False,
    json: Json = False,
) -> None:
    """Check a package as validation would, in a sandbox on this machine; nothing is published."""
    described = read_semantic(semantic, package)
    with spinner(f"Checking {package.name}"):
        if in_dock:
            with connect(context) as dock:
                outcome = dock.check(package, semantic=described)
        else:
            outcome = module_of("sandbox", "learndock.client.local_check").check_package(package, described)
    if json:
        emit_json(outcome)
    else:
        _print_report(outcome.report)
        print_line(_verdict(package.name, outcome))
    _exit_unless_passed(outcome)


def validation(
    context: typer.Context,
    learnware_id: LearnwareId,
    *,
    version: Annotated[int, typer.Option(min=0, help="Version; 0 for the one validated last.")] = 0,
    log: Annotated[bool, typer.Option("--log", help="Show the last of what the model printed, too.")] = False,
    json: Json = False,
) -> None:
    """Show the report of a learnware's last validation, check by check."""
    with connect(context) as dock:
        found = dock.validation(learnware_id, version)
    if json:
        emit_json(found)
    else:
        _print_validation(found)
        if log:
            print_line(found.report.log_tail or "The model printed nothing.")
    if found.state.ended:
        _exit_unless_passed(found)


def wait(dock: Dock, learnware_id: str, *, json: bool) -> None:
    """Wait until a learnware's newest version is validated and print the outcome; exits when it did not pass."""
    with validation_bar(f"Validating {learnware_id}") as progress:
        outcome = dock.wait_until_validated(learnware_id, progress=progress)
        if outcome.passed:
            dock.wait_until_searchable(learnware_id)
    if json:
        emit_json(outcome)
    else:
        _print_validation(outcome)
    _exit_unless_passed(outcome)


def _print_validation(found: Validation) -> None:
    _print_report(found.report)
    print_line(_verdict(f"{found.learnware_id} version {found.version}", found))


def _print_report(report: ValidationReport) -> None:
    if report.checks:
        rows = ((line.name, line.verdict, f"{line.seconds:.2f} s", line.message) for line in report.checks)
        print_table(("check", "verdict", "time", "what was found"), rows, empty="")


def _verdict(what: str, outcome: Validation | PackageCheck) -> str:
    reason = f": {outcome.reason}" if outcome.reason else ""
    return f"{what} is {outcome.state}{reason}"


def _exit_unless_passed(outcome: Validation | PackageCheck) -> None:
    if not outcome.passed:
        raise typer.Exit(ExitCode.REJECTED)
