"""Commands on API tokens, users and invitations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from learndock.account import Role, Scope, User
from learndock.cli.options import Json, connect
from learndock.cli.output import emit_json, print_facts, print_line, print_table

tokens = typer.Typer(no_args_is_help=True, help="Make, list and revoke API tokens.")
invitations = typer.Typer(no_args_is_help=True, help="Invite people to register (for admins).")
users = typer.Typer(no_args_is_help=True, help="Look after users (for admins).")

_DAY_SECONDS = 86_400

Whose = Annotated[str, typer.Option("--user", help="Id or name of another user, for admins.")]
Name = Annotated[str, typer.Argument(metavar="USER", help="Id or name of the user.")]
RoleWord = Annotated[Role, typer.Argument(help="USER, ADMIN or SUPERADMIN.")]


@tokens.command("create", epilog="Example: learndock token create --label laptop --days 90")
def create_token(
    context: typer.Context,
    *,
    label: Annotated[str, typer.Option(help="What to call it.")] = "",
    days: Annotated[int, typer.Option(min=0, help="How long it works; 0 for ever.")] = 0,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="What it may be used for, several times; without, all that its owner may do."),
    ] = None,
    user: Whose = "",
    json: Json = False,
) -> None:
    """Make an API token. The secret is printed once and never again."""
    with connect(context) as dock:
        made = dock.create_token(label, user=user, lifetime_seconds=days * _DAY_SECONDS, scopes=scope or ())
    if json:
        emit_json(made)
    else:
        print_line(made.secret)


@tokens.command("list", epilog="Example: learndock token list")
def list_tokens(context: typer.Context, *, user: Whose = "", json: Json = False) -> None:
    """List API tokens, newest first, without their secrets."""
    with connect(context) as dock:
        found = dock.list_tokens(user=user)
    if json:
        emit_json(found)
        return
    print_table(
        ("id", "label", "scopes", "made", "ends", "revoked", "last used"),
        (
            (t.token_id, t.label, _words(t.scopes), t.create_time, t.expire_time, t.revoke_time, t.last_use_time)
            for t in found
        ),
        empty="No tokens.",
    )


@tokens.command("revoke", epilog="Example: learndock token revoke TOKEN_ID")
def revoke_token(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(metavar="TOKEN_ID", help="Id of the token, as `token list` shows it.")],
    *,
    json: Json = False,
) -> None:
    """End an API token; it stops working everywhere within five seconds."""
    with connect(context) as dock:
        ended = dock.revoke_token(token_id)
    if json:
        emit_json(ended)
    else:
        print_line(f"{token_id} is revoked.")


@users.command("create", epilog="Example: learndock user create ada --email ada@example.org")
def create_user(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Unique name: 2 to 64 letters, digits, dots, dashes, underscores.")],
    *,
    email: Annotated[str, typer.Option(help="E-mail address.")] = "",
    role: Annotated[Role, typer.Option(help="USER, ADMIN or SUPERADMIN.")] = Role.USER,
    json: Json = False,
) -> None:
    """Make a user; then `learndock token create --user NAME` makes a token for them."""
    with connect(context) as dock:
        _show(dock.create_user(name, role=role, email=email), json=json)


@users.command("list", epilog="Example: learndock user list --text ada")
def list_users(
    context: typer.Context,
    *,
    text: Annotated[str, typer.Option(help="Part of a name or e-mail.")] = "",
    json: Json = False,
) -> None:
    """List users."""
    with connect(context) as dock:
        found = tuple(dock.list_users(text=text))
    if json:
        emit_json(found)
        return
    print_table(
        ("id", "name", "email", "role", "disabled", "made"),
        ((u.user_id, u.name, u.email, u.role, "yes" if u.disabled else "", u.create_time) for u in found),
        empty="No users.",
    )


@users.command("set-role", epilog="Example: learndock user set-role ada ADMIN")
def set_role(context: typer.Context, user: Name, role: RoleWord, *, json: Json = False) -> None:
    """Give a user another role."""
    with connect(context) as dock:
        _show(dock.update_user(user, role=role), json=json)


@users.command("disable", epilog="Example: learndock user disable ada")
def disable(context: typer.Context, user: Name, *, json: Json = False) -> None:
    """Disable a user: their tokens are refused."""
    with connect(context) as dock:
        _show(dock.update_user(user, disabled=True), json=json)


@users.command("enable", epilog="Example: learndock user enable ada")
def enable(context: typer.Context, user: Name, *, json: Json = False) -> None:
    """Enable a disabled user again."""
    with connect(context) as dock:
        _show(dock.update_user(user, disabled=False), json=json)


@invitations.command("create", epilog="Example: learndock invitation create --email ada@example.org")
def create_invitation(
    context: typer.Context,
    *,
    email: Annotated[str, typer.Option(help="The only address that may use it; without, anybody with the code.")] = "",
    role: Annotated[Role, typer.Option(help="USER, ADMIN or SUPERADMIN.")] = Role.USER,
    days: Annotated[int, typer.Option(min=1, max=90, help="How long it works.")] = 7,
    json: Json = False,
) -> None:
    """Invite somebody to register. The code is printed once and never again."""
    with connect(context) as dock:
        made = dock.create_invitation(email=email, role=role, lifetime_seconds=days * _DAY_SECONDS)
    if json:
        emit_json(made)
    else:
        print_line(made.code)


@invitations.command("list", epilog="Example: learndock invitation list")
def list_invitations(context: typer.Context, *, json: Json = False) -> None:
    """List invitations that were not used, newest first, without their codes."""
    with connect(context) as dock:
        found = dock.list_invitations()
    if json:
        emit_json(found)
        return
    print_table(
        ("id", "email", "role", "made", "ends"),
        ((i.invitation_id, i.email, i.role, i.create_time, i.expire_time) for i in found),
        empty="No invitations.",
    )


@invitations.command("revoke", epilog="Example: learndock invitation revoke INVITATION_ID")
def revoke_invitation(
    context: typer.Context,
    invitation_id: Annotated[str, typer.Argument(metavar="INVITATION_ID", help="Id, as `invitation list` shows it.")],
    *,
    json: Json = False,
) -> None:
    """End an invitation."""
    with connect(context) as dock:
        dock.revoke_invitation(invitation_id)
    if json:
        emit_json({"invitation_id": invitation_id})
    else:
        print_line(f"{invitation_id} is revoked.")


def _words(scopes: Iterable[Scope]) -> str:
    return ", ".join(sorted(scopes))


def _show(user: User, *, json: bool) -> None:
    if json:
        emit_json(user)
        return
    print_facts(
        {
            "id": user.user_id,
            "name": user.name,
            "email": user.email,
            "role": user.role,
            "disabled": "yes" if user.disabled else None,
            "made": user.create_time,
        }
    )
