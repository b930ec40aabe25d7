"""Commands on the dock itself: whoami, summary, fsck."""

from __future__ import annotations

from typing import Annotated

import typer

from learndock.cli.failures import ExitCode
from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_facts, print_line, print_table, to_plain
from learndock.cli.progress import spinner


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock whoami")(whoami)
    app.command(epilog="Example: learndock summary")(summary)
    app.command(epilog="Example: learndock fsck --read-packages")(fsck)


def whoami(context: typer.Context, *, json: Json = False) -> None:
    """Show the account that the token belongs to."""
    with connect(context) as dock:
        user = dock.whoami()
    if json:
        emit_json(user)
    else:
        print_facts({"id": user.user_id, "name": user.name, "role": user.role, "dock": dock.address})


def summary(context: typer.Context, *, json: Json = False) -> None:
    """Show numbers of learnwares, users and tokens (for admins)."""
    with connect(context) as dock:
        numbers = dock.summary()
    if json:
        emit_json(numbers)
        return
    plain = to_plain(numbers)
    assert isinstance(plain, dict)  # noqa: S101  # of a dataclass
    print_facts({name.replace("_", " "): _counts(fact) for name, fact in plain.items()})


def fsck(
    context: typer.Context,
    *,
    read_packages: Annotated[
        bool, typer.Option("--read-packages", help="Read every package and compare its hash, not only its size.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what can be; put damaged packages aside to be uploaded again.")
    ] = False,
    json: Json = False,
) -> None:
    """Check catalogue, packages and index against what the dock promises (for admins)."""
    with connect(context) as dock, spinner("Checking"):
        findings = dock.check_integrity(read_packages=read_packages, repair=repair)
    if json:
        emit_json(findings)
    elif findings:
        print_table(
            ("invariant", "subject", "what is wrong"),
            ((finding.invariant, finding.subject, finding.message) for finding in findings),
            empty="",
        )
    else:
        print_line("The dock is clean.")
    if findings:
        raise typer.Exit(ExitCode.REJECTED)


def _counts(fact: object) -> object:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(fact.items()))
    return fact
