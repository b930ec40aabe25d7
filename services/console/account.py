"""Mine: the visitor's learnwares, tokens and profile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.responses import Response

from learndock.account import Scope
from learndock.client.values import NewToken
from learndock.learnware import VersionState
from services.console import listing
from services.console.listing import Selection
from services.console.routing import Rule
from services.console.visit import Visit

LIFETIMES: Mapping[str, int] = {"30": 30 * 86400, "90": 90 * 86400, "365": 365 * 86400, "0": 0}
"""Seconds that a token lasts, by days as the form says them; 0 lasts for ever."""


def mine(visit: Visit) -> Response:
    """The visitor's own learnwares, by state."""
    selection = Selection.asked(visit, owner=visit.user.user_id, deleted=True)
    found = listing.learnwares(visit, selection)
    return visit.page(
        "mine.html", selection=selection, found=found, counts=_counts(visit), states=tuple(VersionState), nav="mine"
    )


def account(visit: Visit, *, made: NewToken | None = None) -> Response:
    """Profile, quota and tokens; a token just made shows its secret once."""
    return visit.page(
        "account.html",
        tokens=visit.dock.list_tokens(),
        made=made,
        quota=visit.dock.quota(),
        lifetimes=LIFETIMES,
        scopes=_scopes(visit),
        now=datetime.now(UTC),
        nav="account",
    )


def make_token(visit: Visit) -> Response:
    """Make a token; the page that answers is the only one that ever shows its secret."""
    lifetime = LIFETIMES.get(visit.field("lifetime"), LIFETIMES["90"])
    scopes = [Scope(word) for word in visit.fields("scopes") if word in Scope.__members__]
    made = visit.dock.create_token(visit.field("label").strip(), lifetime_seconds=lifetime, scopes=scopes)
    return account(visit, made=made)


def revoke_token(visit: Visit) -> Response:
    """End a token."""
    visit.dock.revoke_token(visit.part("token"))
    return visit.redirect("/account", done="revoked")


def _scopes(visit: Visit) -> tuple[Scope, ...]:
    """What the visitor's tokens can be limited to."""
    return tuple(scope for scope in Scope if scope is not Scope.ADMINISTER or visit.user.role.administers)


def _counts(visit: Visit) -> Mapping[str, int]:
    """Numbers of the visitor's learnwares: of each state, and "" for all."""
    return {state: _count(visit, state) for state in ("", *VersionState)}


def _count(visit: Visit, state: str) -> int:
    chosen = {"state": state} if state else {}
    selection = Selection("/mine", "", chosen, "id", owner=visit.user.user_id)
    return visit.dock.pages.learnwares(filter_=selection.filter, order_by=selection.order, size=1).total or 0


RULES = (
    Rule("GET", "/mine", mine),
    Rule("GET", "/account", account),
    Rule("POST", "/account/tokens", make_token),
    Rule("POST", "/account/tokens/{token}/revoke", revoke_token),
)
