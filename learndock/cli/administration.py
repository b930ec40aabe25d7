"""Commands on the dock itself: whoami, summary, audit, fsck."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from learndock.audit import AuditEntry
from learndock.cli.failures import ExitCode
from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_facts, print_line, print_table, to_plain
from learndock.cli.progress import spinner
from learndock.cli.quotas import usage


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: learndock whoami")(whoami)
    app.command(epilog="Example: learndock summary")(summary)
    app.command(epilog="Example: learndock audit --user ada --action Delete")(audit)
    app.command(epilog="Example: learndock fsck --read-packages")(fsck)


def whoami(context: typer.Context, *, json: Json = False) -> None:
    """Show the account that the token belongs to."""
    with connect(context) as dock:
        user = dock.whoami()
        quota = None if json else dock.quota()
    if quota is None:
        emit_json(user)
    else:
        print_facts({"id": user.user_id, "name": user.name, "role": user.role, "dock": dock.address, **usage(quota)})


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


def audit(
    context: typer.Context,
    *,
    user: Annotated[str, typer.Option(help="Id or name of who did it.")] = "",
    action: Annotated[str, typer.Option(help='Part of a method\'s name, such as Delete, or "sign-in".')] = "",
    resource: Annotated[str, typer.Option(help="Id of what it was done to.")] = "",
    since: Annotated[datetime | None, typer.Option(help="First time, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Last time, UTC, itself excluded.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many entries.")] = 100,
    json: Json = False,
) -> None:
    """Show who changed what and who signed in, newest first (for admins)."""
    with connect(context) as dock:
        entries = dock.list_audit_entries(
            user=user, action=action, resource=resource, start=_utc(since), end=_utc(until)
        )
        found = tuple(islice(entries, limit))
    if json:
        emit_json(found)
        return
    print_table(
        ("time", "who", "role", "action", "resource", "outcome", "from"),
        ((e.time, e.user_name, e.role, e.action.rpartition("/")[2], e.resource, _outcome(e), e.peer) for e in found),
        empty="No entries.",
    )


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


def _utc(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None else None


def _outcome(entry: AuditEntry) -> str:
    return f"{entry.code} {entry.reason}".strip()


def _counts(fact: object) -> object:
    if isinstance(fact, dict):
        return ", ".join(f"{name} {count}" for name, count in sorted(fact.items()))
    return fact
