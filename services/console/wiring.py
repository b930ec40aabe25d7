"""The console, built of its settings."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.console import (
    account,
    administration,
    administration_invitations,
    administration_users,
    failures,
    find,
    learnwares,
    registration,
    reuse,
    semantic_form,
    sign_in,
    submission,
)
from services.console.config import Settings
from services.console.desk import Desk
from services.console.predictions import Predictions
from services.console.protection import BodyLimit, Protection
from services.console.rendering import FOLDER, environment
from services.console.routing import Rule, route, routes
from services.console.sessions import SessionSeal
from services.console.site import Site
from services.console.web_server import WebServer

RULES = (
    *sign_in.RULES,
    *registration.RULES,
    *find.RULES,
    *learnwares.RULES,
    *semantic_form.RULES,
    *submission.RULES,
    *account.RULES,
    *reuse.RULES,
    *administration.RULES,
    *administration_users.RULES,
    *administration_invitations.RULES,
)

_MAX_BODY_BYTES = 96 * 2**20
_HOUR = 3600


def build(settings: Settings) -> WebServer:
    """The console at its address, not answering yet."""
    site = build_site(settings)
    return WebServer(
        build_application(site), settings.listen, threads=settings.max_threads, close=site.predictions.close
    )


def build_site(settings: Settings) -> Site:
    """What all pages share."""
    keep_seconds = settings.keep_hours * _HOUR
    return Site(
        settings=settings,
        seal=SessionSeal(settings.secret.get_secret_value(), settings.session_hours * _HOUR),
        desk=Desk(settings.data_dir, keep_seconds),
        predictions=Predictions(settings.max_reuses, keep_seconds),
        templates=environment(),
    )


def build_application(site: Site) -> Starlette:
    """All addresses, behind what protects them."""
    missing = route(site, Rule("GET", "/{path:path}", failures.no_such_page))
    return Starlette(
        routes=[
            Route("/healthz", _alive),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
            *routes(site, RULES),
            missing,
        ],
        middleware=[
            Middleware(Protection),
            Middleware(BodyLimit, max_bytes=_MAX_BODY_BYTES),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
    )


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("ok")
