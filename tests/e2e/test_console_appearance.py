"""The console in both languages, light and dark, on a desk and in a hand; and for those who do not see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
import pytest

from services.console.words import catalogue
from tests.support.console import CHINESE_PHONE, ENGLISH_DARK, ENGLISH_PHONE, Console, Watched, watched

pytestmark = pytest.mark.timeout(600)
SERIOUS = ("serious", "critical")
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}

USER_PAGES: tuple[Callable[[Console], str], ...] = (
    lambda _: "/find",
    lambda _: "/find?text=digits",
    lambda _: "/find?text=nothing+like+this",
    lambda _: "/learnwares",
    lambda console: f"/learnwares/{console.low}",
    lambda console: f"/learnwares/{console.rejected}",
    lambda console: f"/learnwares/{console.rejected}/edit",
    lambda _: "/submit",
    lambda _: "/mine",
    lambda _: "/mine?state=UPLOADED",
    lambda _: "/account",
    lambda _: "/reuse",
    lambda console: f"/reuse?member={console.low}:1:0.5&member={console.high}:1:0.5",
)
ADMIN_PAGES = tuple(
    f"/admin{rest}"
    for rest in ("", "/users", "/invitations", "/learnwares", "/validations", "/islands", "/audit", "/users?text=zz")
)


@pytest.fixture(params=[ENGLISH_PHONE, ENGLISH_DARK, CHINESE_PHONE], ids=str)
def visitor(request: pytest.FixtureRequest, console: Console, chromium: Browser) -> Iterator[Watched]:
    with watched(chromium, console.url, request.param) as opened:
        yield opened
        assert opened.errors == []
        assert opened.strangers == []


def findings(page: Page) -> list[str]:
    """What axe-core finds serious."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [
        f"{page.url} {each['id']}: {each['help']} {[node['html'][:120] for node in each['nodes']]}"
        for each in found
        if each["impact"] in SERIOUS
    ]


def overflows(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def test_every_page_of_a_user(visitor: Watched, console: Console) -> None:
    page = visitor.page
    faults, wide = [], []
    for path in ("/sign-in", "/register"):
        visitor.open_calm(path)
        faults += findings(page)
        wide += [page.url] * overflows(page)
    visitor.sign_in(console.ann)
    for path in USER_PAGES:
        visitor.open_calm(path(console))
        faults += findings(page)
        wide += [page.url] * overflows(page)
    page.goto(visitor.url + "/find")
    page.locator("input[name=file]").set_input_files(console.folder / "task.json")
    page.locator(".score").first.wait_for()
    page.locator(".result details summary").first.click()
    page.locator(".dots-task circle").first.wait_for()
    page.locator(".menu summary").click()
    faults += findings(page)
    assert faults == []
    assert wide == []


def test_every_page_of_an_admin(visitor: Watched, console: Console) -> None:
    page = visitor.sign_in(console.admin)
    faults, wide = [], []
    for path in ADMIN_PAGES:
        visitor.open_calm(path)
        faults += findings(page)
        wide += [page.url] * overflows(page)
    assert faults == []
    assert wide == []


def test_pages_speak_one_language(console: Console, chromium: Browser) -> None:
    """In Chinese nothing of the catalogue is left in English, nor the other way round."""
    english, chinese = catalogue("en").texts, catalogue("zh").texts
    with watched(chromium, console.url) as opened:
        page = opened.sign_in(console.admin)
        for path in ("/find", "/submit", "/account", "/admin", "/admin/users", f"/learnwares/{console.low}"):
            for language in ("zh", "en"):
                opened.prefer(language=language)
                opened.open(path)
                headings = page.locator("h1, h2, main button, nav a").all_inner_texts()
                text = "\n".join(headings)
                mine = english if language == "en" else chinese
                assert bool(re.search("[一-鿿]", re.sub("中文|English", "", text))) is (mine is chinese), path


def test_the_system_decides_where_nobody_chose(console: Console, chromium: Browser) -> None:
    with watched(chromium, console.url) as opened:
        opened.prefer(theme="auto")
        page = opened.open("/sign-in")
        colours = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert colours[0] != colours[1]


def test_a_keyboard_is_enough(console: Console, chromium: Browser) -> None:
    with watched(chromium, console.url) as opened:
        page = opened.sign_in(console.ann)
        opened.open("/find")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
