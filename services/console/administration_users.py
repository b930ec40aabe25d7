"""Admin: users, their roles and their tokens."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from learndock.account import Role
from learndock.client.values import NewToken
from services.console.administration import for_admins
from services.console.routing import Rule
from services.console.spreadsheet import csv_text
from services.console.visit import Visit

ROLES = (Role.USER, Role.ADMIN, Role.SUPERADMIN)
_MOST_TEXT = 100
_RESET_LABEL = "reset by an admin"


def users(visit: Visit, *, made: NewToken | None = None, whose: str = "") -> Response:
    """Users by name or e-mail; a token just made shows its secret once."""
    text = visit.query("text").strip()[:_MOST_TEXT]
    found = visit.dock.pages.users(text=text, token=visit.query("page"))
    onward = f"/admin/users?{urlencode({'text': text, 'page': found.next_token})}"
    return visit.page(
        "admin_users.html", found=found, text=text, onward=onward, roles=ROLES, made=made, whose=whose, nav="admin"
    )


def create(visit: Visit) -> Response:
    """Make a user with a first token."""
    user = visit.dock.create_user(visit.field("name").strip(), role=_role(visit), email=visit.field("email").strip())
    made = visit.dock.create_token("first token", user=user.user_id)
    return users(visit, made=made, whose=user.name)


def set_role(visit: Visit) -> Response:
    """Appoint somebody to a role."""
    visit.dock.update_user(visit.part("user"), role=_role(visit))
    return visit.redirect("/admin/users", done="saved")


def disable(visit: Visit) -> Response:
    """Refuse a user's tokens, or take them again."""
    visit.dock.update_user(visit.part("user"), disabled=visit.field("disabled") == "yes")
    return visit.redirect("/admin/users", done="saved")


def reset(visit: Visit) -> Response:
    """Revoke all tokens of a user and make a new one."""
    user_id = visit.part("user")
    for token in visit.dock.list_tokens(user=user_id):
        if token.revoke_time is None:
            visit.dock.revoke_token(token.token_id)
    made = visit.dock.create_token(_RESET_LABEL, user=user_id)
    return users(visit, made=made, whose=visit.field("name"))


def export(visit: Visit) -> Response:
    """All users as a file."""
    rows = (
        (user.user_id, user.name, user.email, user.role.value, "yes" if user.disabled else "no", user.create_time)
        for user in visit.dock.list_users(text=visit.query("text").strip()[:_MOST_TEXT])
    )
    text = csv_text(("user_id", "name", "email", "role", "disabled", "create_time"), rows)
    headers = {"content-disposition": 'attachment; filename="users.csv"'}
    return Response(text, media_type="text/csv", headers=headers)


def _role(visit: Visit) -> Role:
    word = visit.field("role")
    return Role(word) if word in ROLES else Role.USER


RULES = (
    Rule("GET", "/admin/users", for_admins(users)),
    Rule("POST", "/admin/users", for_admins(create)),
    Rule("GET", "/admin/users.csv", for_admins(export)),
    Rule("POST", "/admin/users/{user}/role", for_admins(set_role)),
    Rule("POST", "/admin/users/{user}/disable", for_admins(disable)),
    Rule("POST", "/admin/users/{user}/reset", for_admins(reset)),
)
