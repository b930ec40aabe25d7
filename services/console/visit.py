"""One request of one visitor: who they are, what they sent, in which language they are answered."""

from __future__ import annotations

from functools import cached_property
from types import TracebackType
from urllib.parse import quote

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from learndock.account import User
from learndock.client.dock import Dock
from learndock.errors import InvalidInput, Reason
from services.console.sessions import COOKIE, Session
from services.console.site import Site
from services.console.words import LANGUAGES, Words, catalogue, preferred

THEMES = ("auto", "light", "dark")
LANGUAGE_COOKIE, THEME_COOKIE = "learndock_language", "learndock_theme"
_YEAR_SECONDS = 365 * 24 * 3600


class Visit:
    """A request; close it, or use it in a `with` statement.

    Parameters
    ----------
    site
        What all pages share.
    request
        As it came.
    form
        The fields and files of its body.
    body
        The bytes of its body, where it is no form.
    """

    def __init__(self, site: Site, request: Request, form: FormData, body: bytes) -> None:
        self.site = site
        self.request = request
        self.form = form
        self.body = body
        opened = site.seal.open(request.cookies.get(COOKIE, ""))
        self._is_new = opened is None
        self.session = opened or Session.begin()

    @cached_property
    def dock(self) -> Dock:
        """The dock, as the visitor."""
        return self.site.connect(self.session.token)

    @cached_property
    def user(self) -> User:
        """The visitor's account."""
        return self.dock.whoami()

    @cached_property
    def words(self) -> Words:
        """The visitor's language."""
        chosen = self.request.cookies.get(LANGUAGE_COOKIE, "")
        known = chosen in LANGUAGES
        return catalogue(chosen if known else preferred(self.request.headers.get("accept-language", "")))

    @property
    def theme(self) -> str:
        """Light, dark, or as the visitor's system has it."""
        chosen = self.request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in THEMES else THEMES[0]

    @property
    def wants_fragment(self) -> bool:
        """Whether the answer goes into a page that is there already."""
        return "hx-request" in self.request.headers

    @property
    def form_token(self) -> str:
        """What our forms carry along."""
        return self.site.seal.form_token(self.session)

    def query(self, name: str) -> str:
        """A parameter of the address; empty without it."""
        return self.request.query_params.get(name, "")

    def part(self, name: str) -> str:
        """A variable part of the path."""
        return str(self.request.path_params[name])

    def field(self, name: str) -> str:
        """A field of the form; empty without it."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def fields(self, name: str) -> tuple[str, ...]:
        """All values of a field."""
        return tuple(value for value in self.form.getlist(name) if isinstance(value, str))

    def file(self, name: str) -> UploadFile:
        """A file of the form.

        Raises
        ------
        InvalidInput
            None was chosen.
        """
        value = self.form.get(name)
        if not isinstance(value, UploadFile) or not value.filename:
            raise InvalidInput(Reason.FIELD_INVALID, "No file was chosen.", field=name)
        return value

    def page(self, template: str, *, code: int = 200, **context: object) -> Response:
        """A page, or a part of one, made of a template."""
        made = self.site.templates.get_template(template)
        return HTMLResponse(made.render(visit=self, t=self.words, site=self.site, **context), status_code=code)

    def redirect(self, path: str, *, done: str = "") -> Response:
        """Send the browser to another page of ours, where `done` says what has happened."""
        if done:
            path = f"{path}{'&' if '?' in path else '?'}done={done}"
        if self.wants_fragment:
            return Response(headers={"HX-Redirect": path})
        return RedirectResponse(path, status_code=303)

    def to_sign_in(self) -> Response:
        """Ask the visitor to sign in, and come back here afterwards."""
        here = self.request.url.path + (f"?{self.request.url.query}" if self.request.url.query else "")
        came_to_read = self.request.method == "GET" and not self.wants_fragment
        return self.redirect(f"/sign-in?next={quote(here)}" if came_to_read else "/sign-in")

    def begin(self, token: str) -> None:
        """Sign in: a new session, so that one that others may know is worth nothing."""
        self.session, self._is_new = Session.begin(token), True

    def end(self) -> None:
        """Sign out."""
        self.session, self._is_new = Session.begin(), True

    def remember(self, response: Response, name: str, value: str) -> None:
        """Keep a preference in the browser."""
        secure = self.site.settings.secure_cookies
        response.set_cookie(name, value, max_age=_YEAR_SECONDS, httponly=True, samesite="strict", secure=secure)

    def leave(self, response: Response) -> None:
        """Send a new session's cookie along."""
        if self._is_new:
            seal, secure = self.site.seal, self.site.settings.secure_cookies
            response.set_cookie(
                COOKIE,
                seal.seal(self.session),
                max_age=seal.lifetime_seconds,
                httponly=True,
                samesite="strict",
                secure=secure,
            )

    def __enter__(self) -> Visit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "dock" in self.__dict__:
            self.dock.close()
