"""Registering: who holds an invitation makes an account of it, and gets its first token."""

from __future__ import annotations

from starlette.responses import Response

from learndock.errors import AlreadyExists, FailedPrecondition, InvalidInput, LearndockError, PermissionDenied
from services.console.routing import Rule
from services.console.visit import Visit

_REFUSALS = (AlreadyExists, FailedPrecondition, InvalidInput, PermissionDenied)
_MOST_TEXT = 300


def page(visit: Visit) -> Response:
    """The form."""
    return visit.redirect("/find") if visit.session.signed_in else _form(visit)


def register(visit: Visit) -> Response:
    """Make the account and sign in; the page that answers is the only one that ever shows the token."""
    try:
        with visit.site.connect("") as dock:
            made = dock.register(_given(visit, "code"), _given(visit, "name"), email=_given(visit, "email"))
    except _REFUSALS as error:
        return _form(visit, code=422, refusal=error)
    visit.begin(made.token.secret)
    return visit.page("register_done.html", made=made.token, nav="")


def invite(visit: Visit) -> Response:
    """Have an invitation sent; the answer is the same for every address."""
    try:
        with visit.site.connect("") as dock:
            dock.request_invitation(_given(visit, "address"))
    except _REFUSALS as error:
        return _form(visit, code=422, refusal=error)
    return visit.redirect("/register", done="invited")


def _given(visit: Visit, name: str) -> str:
    return visit.field(name).strip()[:_MOST_TEXT]


def _form(visit: Visit, *, code: int = 200, refusal: LearndockError | None = None) -> Response:
    given = {name: _given(visit, name) for name in ("code", "name", "email", "address")}
    return visit.page("register.html", code=code, given=given, refusal=refusal, nav="")


RULES = (
    Rule("GET", "/register", page, public=True),
    Rule("POST", "/register", register, public=True),
    Rule("POST", "/register/invitation", invite, public=True),
)
