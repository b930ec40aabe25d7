"""From addresses to handlers: sign-in and forged forms are dealt with here, and every error becomes a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import logging

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from learndock.errors import LearndockError, PermissionDenied, Reason
from services.console import failures
from services.console.site import Site
from services.console.visit import Visit

Handler = Callable[[Visit], Response]

FORM_HEADER = "x-csrf-token"
_MAX_FIELDS = 5000

_log = logging.getLogger("learndock.console")


@dataclass(frozen=True)
class Rule:
    """Who answers an address.

    Attributes
    ----------
    method
        GET, POST or PUT.
    path
        The address, variable parts in braces.
    handler
        Makes the answer.
    public
        Whether visitors come here before they are signed in.
    """

    method: str
    path: str
    handler: Handler
    public: bool = False


def route(site: Site, rule: Rule) -> Route:
    """A rule for the server; the handler runs in a thread, where it may call the dock."""

    async def answer(request: Request) -> Response:
        form, body = FormData(), b""
        if request.method == "POST":
            form = await request.form(max_files=8, max_fields=_MAX_FIELDS)
        elif request.method == "PUT":
            body = await request.body()
        try:
            return await run_in_threadpool(_answer, site, rule, request, form, body)
        finally:
            await form.close()

    return Route(rule.path, answer, methods=[rule.method])


def routes(site: Site, rules: Sequence[Rule]) -> list[Route]:
    """All rules for the server."""
    return [route(site, rule) for rule in rules]


def _answer(site: Site, rule: Rule, request: Request, form: FormData, body: bytes) -> Response:
    with Visit(site, request, form, body) as visit:
        response = _handled(visit, rule)
        visit.leave(response)
        return response


def _handled(visit: Visit, rule: Rule) -> Response:
    if not rule.public and not visit.session.signed_in:
        return visit.to_sign_in()
    try:
        _refuse_forged(visit)
        return rule.handler(visit)
    except LearndockError as error:
        return failures.answer(visit, error)
    except Exception:
        _log.exception("page_failed", extra={"path": rule.path})
        return failures.unexpected(visit)


def _refuse_forged(visit: Visit) -> None:
    """Refuse what another site's page sent in the visitor's name."""
    if visit.request.method == "GET":
        return
    given = visit.request.headers.get(FORM_HEADER) or visit.field("csrf")
    if not visit.site.seal.is_form_token(visit.session, given):
        raise PermissionDenied(
            Reason.TOKEN_INVALID, "This form is not of your present session; load the page again and repeat."
        )
