"""Admin: invitations to register."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from learndock.account import Role
from learndock.client.values import NewInvitation
from services.console.administration import for_admins
from services.console.administration_users import ROLES
from services.console.routing import Rule
from services.console.visit import Visit

LIFETIMES: Mapping[str, int] = {"1": 86400, "7": 7 * 86400, "30": 30 * 86400, "90": 90 * 86400}
"""Seconds that an invitation lasts, by days as the form says them."""


def invitations(visit: Visit, *, made: NewInvitation | None = None) -> Response:
    """Open invitations; the code of one just made is shown once."""
    found = visit.dock.list_invitations()
    return visit.page("admin_invitations.html", found=found, made=made, roles=ROLES, lifetimes=LIFETIMES, nav="admin")


def create(visit: Visit) -> Response:
    """Invite somebody."""
    word = visit.field("role")
    made = visit.dock.create_invitation(
        email=visit.field("email").strip(),
        role=Role(word) if word in ROLES else Role.USER,
        lifetime_seconds=LIFETIMES.get(visit.field("lifetime"), 0),
    )
    return invitations(visit, made=made)


def revoke(visit: Visit) -> Response:
    """End an invitation."""
    visit.dock.revoke_invitation(visit.part("invitation"))
    return visit.redirect("/admin/invitations", done="uninvited")


RULES = (
    Rule("GET", "/admin/invitations", for_admins(invitations)),
    Rule("POST", "/admin/invitations", for_admins(create)),
    Rule("POST", "/admin/invitations/{invitation}/revoke", for_admins(revoke)),
)
