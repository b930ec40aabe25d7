"""A dock with a console, some learnwares and some users; and a browser that notes what must not happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
import shutil
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

import learndock
from learndock.client import specifying
from learndock.learnware import Visibility
from tests.support.dock import RunningDock, running_dock
from tests.support.learnwares import Digits, digits_package
from tests.support.models import model_package

CHROMIUM = shutil.which("chromium") or "chromium"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
DESKTOP, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Look:
    """How a visitor sees the pages."""

    language: str
    theme: str
    viewport: dict[str, int]

    def __str__(self) -> str:
        return f"{self.language}-{self.theme}-{'phone' if self.viewport == PHONE else 'desk'}"


ENGLISH_DESK = Look("en", "light", DESKTOP)
ENGLISH_PHONE = Look("en", "light", PHONE)
ENGLISH_DARK = Look("en", "dark", DESKTOP)
CHINESE_PHONE = Look("zh", "dark", PHONE)

DESCRIPTION = """Tells handwritten digits apart.

| pixels | scale |
|---|---|
| 8 x 8 | 0 to 1 |

- trained on *half* of the rows
- see [scikit-learn](https://scikit-learn.org)
"""


@dataclass(frozen=True)
class Console:
    """A dock, its users and their learnwares.

    Attributes
    ----------
    dock
        The dock.
    url
        Where the web pages are.
    ann, bob
        Tokens of two users.
    low, high
        Ann's classifiers of the digits 0 to 4, and 5 to 9.
    rejected
        Ann's package whose model fails.
    secret
        Bob's private learnware.
    folder
        Files to give: `task.json`, `rows.csv`, `package.zip`.
    """

    dock: RunningDock
    url: str
    ann: str
    bob: str
    low: str
    high: str
    rejected: str
    secret: str
    folder: Path

    @property
    def admin(self) -> str:
        """Token of the superadmin."""
        return self.dock.admin_token


@contextmanager
def populated_console(folder: Path) -> Iterator[Console]:
    """Start a dock with a console and fill it; end it with the block."""
    with running_dock(folder, console_listen="127.0.0.1:0") as dock:
        with learndock.Dock(dock.address, dock.admin_token) as admin:
            tokens = {name: _user(admin, name) for name in ("ann", "bob")}
        with learndock.Dock(dock.address, tokens["ann"]) as ann, learndock.Dock(dock.address, tokens["bob"]) as bob:
            low, high = (ann.submit(digits_package(folder, labels)) for labels in (range(5), range(5, 10)))
            failing = model_package(folder, name="failing", predict="print('so far so good')\nraise ValueError('no')")
            rejected = ann.submit(failing)
            secret = bob.submit(model_package(folder, name="secret sums"), visibility=Visibility.PRIVATE)
            for connection, learnware in ((ann, low), (ann, high), (ann, rejected), (bob, secret)):
                connection.wait_until_validated(learnware.learnware_id)
            ann.wait_until_searchable(low.learnware_id)
            ann.wait_until_searchable(high.learnware_id)
        _files(folder)
        yield Console(
            dock=dock,
            url=dock.console_url,
            ann=tokens["ann"],
            bob=tokens["bob"],
            low=low.learnware_id,
            high=high.learnware_id,
            rejected=rejected.learnware_id,
            secret=secret.learnware_id,
            folder=folder,
        )


def _user(admin: learndock.Dock, name: str) -> str:
    admin.create_user(name, email=f"{name}@example.org")
    return admin.create_token("tests", user=name).secret


def _files(folder: Path) -> None:
    rows = Digits.of(range(10), half=1)
    specifying.save(learndock.specify(rows.X), folder / "task.json")
    np.savetxt(folder / "rows.csv", rows.X[:60], delimiter=",", fmt="%.4f")
    # Plain names of the classes, so that a page of predictions has something to show.
    model_package(folder, name="package", description=DESCRIPTION)


@dataclass
class Watched:
    """A browser context and what went wrong in it.

    Attributes
    ----------
    page
        Its page.
    errors
        Errors on the browser's console, and of scripts.
    strangers
        Requests to other hosts.
    """

    context: BrowserContext
    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page of the console."""
        self.page.goto(self.url + path)
        return self.page

    def open_calm(self, path: str) -> Page:
        """Go to a page of the console and wait until it asks for nothing more."""
        self.open(path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def sign_in(self, token: str) -> Page:
        """Sign in with a token."""
        page = self.open("/sign-in")
        page.locator("input[name=token]").fill(token)
        page.locator("main button.primary").click()
        page.wait_for_url("**/find")
        return page

    def prefer(self, *, language: str = "en", theme: str = "auto") -> None:
        """Set the cookies that the preferences set."""
        cookies = {"learndock_language": language, "learndock_theme": theme}
        self.context.add_cookies([{"name": name, "value": value, "url": self.url} for name, value in cookies.items()])

    def note(self, message: ConsoleMessage) -> None:
        """Keep an error of the browser's console."""
        if message.type == "error":
            self.errors.append(message.text)

    def look(self, request: Request) -> None:
        """Keep a request that leaves for elsewhere."""
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.strangers.append(request.url)


@contextmanager
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def watched(chromium: Browser, url: str, look: Look = ENGLISH_DESK) -> Iterator[Watched]:
    """A new context with one page."""
    context = chromium.new_context(viewport=look.viewport, locale="en-GB", accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
    page = context.new_page()
    page.set_default_timeout(30_000)
    made = Watched(context, page, url)
    made.prefer(language=look.language, theme=look.theme)
    page.on("console", made.note)
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.on("request", made.look)
    try:
        yield made
    finally:
        context.close()
