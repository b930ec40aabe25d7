"""Commands on quotas: how much a user may keep."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

import typer

from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_facts
from learndock.quota import Allowance, Quota

quotas = typer.Typer(no_args_is_help=True, help="Show how much you may keep, and set it (for admins).")


@quotas.command("show", epilog="Example: learndock quota show")
def show(
    context: typer.Context,
    *,
    user: Annotated[str, typer.Option(help="Id or name of another user, for admins.")] = "",
    json: Json = False,
) -> None:
    """Show how much is used of what may be kept."""
    with connect(context) as dock:
        _tell(dock.quota(user), json=json)


@quotas.command("set", epilog="Example: learndock quota set ada --bytes 200000000000")
def set_(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Id or name of the user.")],
    *,
    bytes_: Annotated[int, typer.Option("--bytes", min=0, help="Bytes of all packages; 0 for the dock's limit.")] = 0,
    learnwares: Annotated[int, typer.Option(min=0, help="Learnwares; 0 for the dock's limit.")] = 0,
    versions: Annotated[int, typer.Option(min=0, help="Versions; 0 for the dock's limit.")] = 0,
    uploads: Annotated[int, typer.Option(min=0, help="Uploads in flight; 0 for the dock's limit.")] = 0,
    json: Json = False,
) -> None:
    """Set how much a user may keep (for admins); what is left out is the dock's own limit again."""
    with connect(context) as dock:
        _tell(dock.set_quota(user, Allowance(bytes_, learnwares, versions, uploads)), json=json)


def usage(quota: Quota) -> dict[str, str]:
    """How much is used, by what it is of."""
    return {
        field.name: f"{getattr(quota.used, field.name)} of {getattr(quota.limit, field.name)}"
        for field in fields(Allowance)
    }


def _tell(quota: Quota, *, json: bool) -> None:
    if json:
        emit_json(quota)
    else:
        print_facts({"user": quota.user_id, **usage(quota)})
