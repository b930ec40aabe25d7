"""Signing in and out, and what a visitor prefers."""

from __future__ import annotations

from starlette.responses import Response

from learndock.errors import NotFound, Reason, ResourceExhausted, Unauthenticated
from services.console.openid import Provider, Question
from services.console.routing import Rule
from services.console.sessions import MAX_SEALED
from services.console.visit import LANGUAGE_COOKIE, THEME_COOKIE, THEMES, Visit
from services.console.words import LANGUAGES

_HOME = "/find"
_QUESTION_COOKIE = "learndock_openid"
_QUESTION_PATH = "/sign-in/openid"
_QUESTION_SECONDS = 600


def page(visit: Visit) -> Response:
    """The form."""
    if visit.session.signed_in:
        return visit.redirect(_own(visit.query("next")))
    return visit.page("sign_in.html", next=_own(visit.query("next")), refused=False, failed=None)


def sign_in(visit: Visit) -> Response:
    """Ask the dock whose token that is."""
    token, onward = visit.field("token").strip(), _own(visit.field("next"))
    try:
        if token:
            with visit.site.connect(token) as dock:
                dock.whoami()
    except Unauthenticated:
        token = ""
    if not token:
        return visit.page("sign_in.html", code=401, next=onward, refused=True, failed=None)
    visit.begin(token)
    return visit.redirect(onward)


def ask_provider(visit: Visit) -> Response:
    """Send the visitor to the OpenID provider."""
    question = Question.new(_own(visit.query("next")))
    response = visit.redirect(_provider(visit).address(question))
    # Lax, not Strict: the browser comes back from another site and must bring it along.
    response.set_cookie(
        _QUESTION_COOKIE,
        question.sealed(visit.site.seal),
        max_age=_QUESTION_SECONDS,
        path=_QUESTION_PATH,
        httponly=True,
        samesite="lax",
        secure=visit.site.settings.secure_cookies,
    )
    return response


def take_answer(visit: Visit) -> Response:
    """Take what the provider sent the visitor back with, and ask the dock whose token it is."""
    provider = _provider(visit)
    try:
        question = Question.opened(visit.site.seal, visit.request.cookies.get(_QUESTION_COOKIE, ""))
        token = provider.token(question, state=visit.query("state"), code=visit.query("code"))
        with visit.site.connect(token) as dock:
            dock.whoami()
    except Unauthenticated as error:
        return visit.page("sign_in.html", code=401, next=_HOME, refused=False, failed=error)
    visit.begin(token)
    if len(visit.site.seal.seal(visit.session)) > MAX_SEALED:
        visit.end()
        raise ResourceExhausted(
            Reason.MESSAGE_TOO_LARGE, "The provider's token is too long for a cookie; have it carry fewer claims."
        )
    # A page, not a redirect: a Strict cookie is not sent along while the browser still comes from another site.
    response = visit.page("sign_in_done.html", onward=_own(question.onward))
    response.delete_cookie(_QUESTION_COOKIE, path=_QUESTION_PATH)
    return response


def _provider(visit: Visit) -> Provider:
    if not visit.site.settings.openid_issuer:
        raise NotFound(Reason.RESOURCE_UNKNOWN, "This console signs in by token only.")
    return Provider(visit.site.settings)


def sign_out(visit: Visit) -> Response:
    """End the session in this browser; the token itself goes on."""
    visit.end()
    return visit.redirect("/sign-in")


def prefer(visit: Visit) -> Response:
    """Keep a language or a theme."""
    response = visit.redirect(_own(visit.field("next")))
    if visit.field("language") in LANGUAGES:
        visit.remember(response, LANGUAGE_COOKIE, visit.field("language"))
    if visit.field("theme") in THEMES:
        visit.remember(response, THEME_COOKIE, visit.field("theme"))
    return response


def _own(address: str) -> str:
    """An address on this site: what leads elsewhere becomes the start page."""
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if plain and "\\" not in address else _HOME


RULES = (
    Rule("GET", "/sign-in", page, public=True),
    Rule("POST", "/sign-in", sign_in, public=True),
    Rule("GET", _QUESTION_PATH, ask_provider, public=True),
    Rule("GET", f"{_QUESTION_PATH}/return", take_answer, public=True),
    Rule("POST", "/sign-out", sign_out, public=True),
    Rule("POST", "/preferences", prefer, public=True),
)
