"""What strangers write, send and guess does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
import re
import time

from playwright.sync_api import Browser
import pytest

import learndock
from tests.support.console import Console, watched
from tests.support.models import model_package
from tests.support.visitor import Client

pytestmark = pytest.mark.timeout(600)
SCRIPT = '<script>window.harmed=1</script><img src=x onerror="window.harmed=1">\'"{{7*7}}'
LINKS = "[a](javascript:window.harmed=1) [b](https://example.org/) ![c](https://example.org/x.png)\n\n" + SCRIPT


@pytest.fixture
def stranger(console: Console) -> Client:
    return Client(console.url)


@pytest.fixture
def bob(console: Console) -> Client:
    return Client(console.url).sign_in(console.bob)


@pytest.fixture(scope="module")
def hostile(console: Console) -> Iterator[str]:
    """A learnware of bob's that is full of script."""
    package = model_package(
        console.folder, name="hostile", predict=f"print({SCRIPT!r})\nraise ValueError({SCRIPT!r})", description=LINKS
    )
    with learndock.Dock(console.dock.address, console.bob) as dock:
        made = dock.submit(package)
        semantic = replace(made.semantic_specification, name=SCRIPT[:100])
        space = semantic.input
        assert space is not None
        described = replace(space, descriptions={0: SCRIPT})
        dock.update(made.learnware_id, semantic=replace(semantic, input=described))
        dock.wait_until_validated(made.learnware_id)
        yield made.learnware_id
        dock.delete(made.learnware_id)


def test_script_in_names_descriptions_and_logs_is_text(console: Console, chromium: Browser, hostile: str) -> None:
    with watched(chromium, console.url) as visitor:
        page = visitor.sign_in(console.admin)
        paths = (f"/learnwares/{hostile}", f"/learnwares/{hostile}/edit", "/learnwares", "/admin/learnwares")
        for path in (*paths, "/admin/validations", f"/reuse?member={hostile}:1:1"):
            visitor.open_calm(path)
            assert page.evaluate("window.harmed") is None, path
            assert page.locator("main script, main img[src='x']").count() == 0, path
        visitor.open_calm(f"/learnwares/{hostile}")
        links = page.locator(".prose a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
        assert [link for link in links if link and not link.startswith("https://")] == []
        assert page.locator(".prose img").count() == 0
        assert "49" not in page.locator("h1").inner_text()
        assert (visitor.errors, visitor.strangers) == ([], [])


def test_script_in_a_file_name_is_text(console: Console, chromium: Browser) -> None:
    with watched(chromium, console.url) as visitor:
        page = visitor.sign_in(console.ann)
        visitor.open_calm("/submit")
        name = "<img src=x onerror=window.harmed=1>.zip"
        content = (console.folder / "package.zip").read_bytes()
        page.locator("[data-upload]").set_input_files({"name": name, "mimeType": "application/zip", "buffer": content})
        page.wait_for_url(re.compile("/submit/[0-9a-f]+"))
        assert page.evaluate("window.harmed") is None
        assert name in page.locator(".facts").inner_text()
        visitor.open_calm("/find")
        task = {"name": f"{name}.json", "mimeType": "text/plain", "buffer": (console.folder / "task.json").read_bytes()}
        page.locator("input[name=file]").set_input_files(task)
        page.locator(".score").first.wait_for()
        assert page.evaluate("window.harmed") is None
        assert visitor.errors == []


def test_every_answer_carries_the_policy(console: Console, stranger: Client, bob: Client) -> None:
    for client, path in ((stranger, "/sign-in"), (bob, "/find"), (bob, "/nowhere"), (bob, "/static/nothing.js")):
        _, headers, _ = client.send("GET", path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    cookie = stranger.send("GET", "/sign-in")[1].get("set-cookie") or str(Client(console.url).send("GET", "/sign-in"))
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()


@pytest.mark.parametrize("given", ["", "0" * 64, "other"])
def test_a_form_of_another_site_is_refused(console: Console, bob: Client, given: str) -> None:
    csrf = Client(console.url).sign_in(console.ann).form_token("/account") if given == "other" else given
    for path in ("/account/tokens", f"/learnwares/{console.secret}/delete", "/sign-out", "/register", "/admin/users"):
        assert bob.form(path, csrf=csrf, label="stolen")[0] == 403
    assert "stolen" not in bob.send("GET", "/account")[2]


def test_what_is_not_theirs_is_not_there(console: Console, bob: Client) -> None:
    csrf = bob.form_token("/account")
    for path in ("edit", "visibility", "delete", "restore", "1/validate"):
        code, _, _ = bob.form(f"/learnwares/{console.low}/{path}", csrf=csrf, visibility="PRIVATE", name="x")
        assert code in (403, 404, 422), path
    ann = Client(console.url).sign_in(console.ann)
    for path in (f"/learnwares/{console.secret}", f"/learnwares/{console.secret}/1/package"):
        assert ann.send("GET", path)[0] == 404
    assert console.secret not in ann.send("GET", "/learnwares")[2]
    with learndock.Dock(console.dock.address, console.ann) as dock:
        token_id = dock.list_tokens()[0].token_id
        assert bob.form(f"/account/tokens/{token_id}/revoke", csrf=csrf)[0] == 404
        assert dock.whoami().name == "ann"


def test_admin_pages_are_for_admins(bob: Client) -> None:
    csrf = bob.form_token("/account")
    for path in ("", "/users", "/users.csv", "/invitations", "/learnwares", "/validations", "/islands", "/audit"):
        assert bob.send("GET", f"/admin{path}")[0] == 403
    for path in ("/islands/refit", "/users", "/invitations", "/validations/00000001/1/retry"):
        assert bob.form(f"/admin{path}", csrf=csrf, name="eve", role="SUPERADMIN")[0] == 403


def test_what_a_visitor_has_under_way_is_theirs_alone(console: Console, bob: Client) -> None:
    ann = Client(console.url).sign_in(console.ann)
    csrf = ann.form_token("/account")
    _, _, told = ann.form("/submit/packages", csrf=csrf, name="x.zip", size="100", modified="1", learnware="")
    found = re.search('"id":"([0-9a-f]+)"', told)
    assert found is not None
    arrival = found.group(1)
    assert bob.send("GET", f"/submit/{arrival}")[0] == 404
    assert bob.send("PUT", f"/submit/packages/{arrival}?offset=0", "stolen")[0] == 403
    token = bob.form_token("/account")
    headers = {"x-csrf-token": token}
    assert bob.send("PUT", f"/submit/packages/{arrival}?offset=0", "stolen", **headers)[0] == 404
    for odd in ("..", "%2e%2e", "0" * 31, "g" * 32, "a/b"):
        assert bob.send("GET", f"/submit/{odd}")[0] == 404, odd
    assert bob.send("GET", f"/find?task={arrival}")[0] == 200  # as if there were no task


@pytest.mark.parametrize("onward", ["https://example.org/", "//example.org", "/\\example.org", "javascript:x", "/\n/x"])
def test_nobody_is_sent_elsewhere(console: Console, stranger: Client, onward: str) -> None:
    code, headers, _ = stranger.form("/sign-in", csrf=stranger.form_token(), token=console.bob, next=onward)
    assert (code, headers["location"]) == (303, "/find")


def test_a_forged_session_is_none(console: Console, stranger: Client) -> None:
    for cookie in ("x", "gAAAA" + "A" * 100, f'["id", "{console.admin}"]'):
        code, headers, _ = stranger.send("GET", "/admin", cookie=f"learndock_session={cookie}")
        assert (code, headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_signing_in_makes_a_new_session(console: Console, stranger: Client) -> None:
    stranger.send("GET", "/sign-in")
    before, form_token = stranger.cookies["learndock_session"].value, stranger.form_token()
    stranger.form("/sign-in", csrf=form_token, token=console.bob)
    assert stranger.cookies["learndock_session"].value != before
    assert stranger.form("/account/tokens", csrf=form_token, label="x")[0] == 403


def test_a_revoked_token_ends_the_session(console: Console, stranger: Client) -> None:
    with learndock.Dock(console.dock.address, console.bob) as dock:
        made = dock.create_token("short")
        stranger.sign_in(made.secret)
        dock.revoke_token(made.token.token_id)
    code, headers, _ = stranger.send("GET", "/mine")
    for _ in range(100):  # other services may remember it for five seconds
        if code == 303:
            break
        time.sleep(0.1)
        code, headers, _ = stranger.send("GET", "/mine")
    assert (code, headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_long_requests_are_refused(bob: Client) -> None:
    assert bob.send("POST", "/find/task", "x", **{"content-length": str(10**9)})[0] == 413
