"""The console in a browser: every page and action, against a whole dock with real learnwares."""

from __future__ import annotations

from collections.abc import Iterator
import re

import numpy as np
from playwright.sync_api import Browser, Route, expect
import pytest

import learndock
from learndock.errors import PermissionDenied
from learndock.learnware import Visibility
from services.console.sessions import COOKIE
from services.console.words import LANGUAGES, Words, catalogue
from tests.support.console import CHINESE_PHONE, ENGLISH_DESK, Console, Look, Watched, watched
from tests.support.models import model_package

pytestmark = pytest.mark.timeout(600)
READY = 120_000


@pytest.fixture(params=[ENGLISH_DESK, CHINESE_PHONE], ids=str)
def look(request: pytest.FixtureRequest) -> Look:
    """How the pages look; every action is done in both ways."""
    found: Look = request.param
    return found


@pytest.fixture
def t(look: Look) -> Words:
    """The words of the pages."""
    return catalogue(look.language)


@pytest.fixture
def visitor(console: Console, chromium: Browser, look: Look) -> Iterator[Watched]:
    """A new browser context; whatever a test does, the browser complains of nothing and asks nobody else."""
    with watched(chromium, console.url, look) as opened:
        yield opened
        assert opened.errors == []
        assert opened.strangers == []


@pytest.fixture
def ann(visitor: Watched, console: Console) -> Watched:
    visitor.sign_in(console.ann)
    return visitor


@pytest.fixture
def admin(visitor: Watched, console: Console) -> Watched:
    visitor.sign_in(console.admin)
    return visitor


def test_visitors_sign_in_and_out_and_come_back_to_where_they_were(
    visitor: Watched, console: Console, t: Words
) -> None:
    page = visitor.open("/mine")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/mine"))
    page.locator("input[name=token]").fill(console.ann)
    page.locator("main button.primary").click()
    expect(page).to_have_url(re.compile("/mine$"))
    page.locator(".menu summary").click()
    page.get_by_role("button", name=t("layout.sign_out")).click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    visitor.open("/mine")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_preferences_stay(ann: Watched, look: Look) -> None:
    language, theme = ("zh", "dark") if look.language == "en" else ("en", "light")
    page = ann.open("/find")
    page.locator(".menu summary").click()
    page.get_by_role("button", name=LANGUAGES[language]).click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if language == "zh" else "en")
    expect(page.locator("h1")).to_have_text(catalogue(language)("find.title"))
    page.locator(".menu summary").click()
    page.get_by_role("button", name=catalogue(language)(f"theme.{theme}"), exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    ann.open("/learnwares")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_find_answers_as_one_types(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open("/find")
    page.locator("#find-form input[name=text]").press_sequentially("digits_5", delay=10)
    expect(page.locator(".result")).to_have_count(1)
    expect(page.locator(".result h3")).to_have_text("digits_56789")
    expect(page).to_have_url(re.compile("text=digits_5"))
    page.get_by_label(t("word.Regression")).check()
    expect(page.locator(".empty-title")).to_have_text(t("find.nothing"))
    page.get_by_role("link", name=t("find.reset")).click()
    expect(page.locator(".result")).not_to_have_count(1)


def test_find_by_a_specification(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open("/find")
    page.locator("input[name=file]").set_input_files(console.folder / "task.json")
    expect(page.locator(".score").first).to_contain_text("MMD²")
    expect(page.locator("#results > .spread .badge")).to_contain_text(t("certificate.all", admitted=2))
    expect(page.locator(".mixture .bars li")).to_have_count(2)
    page.locator(".result details summary").first.click()
    expect(page.locator(".dots-task circle").first).to_be_visible()
    expect(page.locator(".dots-learnware circle").first).to_be_visible()
    page.locator(".mixture").get_by_text(t("code.title")).click()
    page.locator(".mixture [data-copy]").first.click()
    expect(page.locator(".mixture [data-copy]").first).to_have_text("✓")
    assert "learndock.Dock" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name=t("task.drop")).click()
    expect(page.locator(".score")).to_have_count(0)


def test_a_file_that_is_no_specification_says_so(ann: Watched, console: Console) -> None:
    page = ann.open("/find")
    page.locator("input[name=file]").set_input_files(console.folder / "rows.csv")
    expect(page.locator("#task .notice.bad")).to_be_visible()
    assert [error for error in ann.errors if "422" not in error] == []
    ann.errors.clear()  # the browser itself reports an answer of 422


def test_a_learnware_page_shows_all_that_is_known(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open(f"/learnwares/{console.low}")
    for name in (
        "field.description", "field.input", "field.output", "validation.title", "specification.title",
        "learnware.versions", "learnware.provenance",
    ):  # fmt: skip
        expect(page.get_by_role("heading", name=t(name)).first).to_be_visible()
    expect(page.locator(".checks li")).not_to_have_count(0)
    expect(page.locator(".scatter circle").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=t("action.download")).click()
    with learndock.Dock(console.dock.address, console.ann) as dock:
        assert download.value.path().stat().st_size == dock.versions(console.low)[0].size_bytes


def test_a_rejected_learnware_tells_why_with_the_log(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open(f"/learnwares/{console.rejected}")
    expect(page.locator(".check-failed")).to_contain_text("ValueError: no")
    page.get_by_text(t("validation.log")).click()
    expect(page.locator("pre.log")).to_contain_text("so far so good")


def test_submit_edit_hide_delete_and_restore(ann: Watched, console: Console, t: Words) -> None:
    name = f"By hand {t.language}"
    package = model_package(console.folder, name=f"package-{t.language}")
    page = ann.open("/submit")
    page.locator("[data-upload]").set_input_files(package)
    page.wait_for_url(re.compile("/submit/.+"))
    expect(page.locator("input[name=name]")).to_have_value(f"package-{t.language}")
    page.locator("input[name=name]").fill("")
    expect(page.locator("#fault-name")).to_have_text(t("rule.name"))
    page.locator("input[name=name]").fill(name)
    expect(page.locator("#fault-name")).to_have_text("")
    page.get_by_role("button", name=t("submit.action")).click()
    page.wait_for_url(re.compile("done=submitted"))
    expect(page.locator(".badges .state-verified")).to_be_visible(timeout=READY)  # without a reload by hand
    page.get_by_role("link", name=t("action.edit")).click()
    page.locator("textarea[name=description]").fill("**Sums**")
    page.get_by_role("button", name=t("action.save")).click()
    expect(page.locator(".prose strong")).to_have_text("Sums")
    page.get_by_role("button", name=t("action.make_private")).click()
    expect(page.get_by_role("button", name=t("action.make_public"))).to_be_visible()
    page.get_by_text(t("action.delete"), exact=True).click()
    page.get_by_role("button", name=t("action.delete_now")).click()
    page.wait_for_url(re.compile("/mine"))
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name=t("action.restore")).click()
    expect(page.locator(".notice.good")).to_have_text(t("done.restored"))


def test_an_upload_goes_on_where_it_broke_off(ann: Watched, console: Console, t: Words) -> None:
    package = model_package(console.folder, name="large", init=f"self.ballast = {'x' * 3_000_000!r}")
    page = ann.open("/submit")
    offsets: list[int] = []

    def break_off(route: Route) -> None:
        offsets.append(int(route.request.url.partition("offset=")[2]))
        route.abort() if len(offsets) == 2 else route.continue_()

    page.route("**/submit/packages/*", break_off)
    page.locator("[data-upload]").set_input_files(package)
    expect(page.locator("[data-upload-again]")).to_be_visible()
    assert [error for error in ann.errors if "ERR_FAILED" not in error] == []
    ann.errors.clear()
    page.locator("[data-upload-again]").click()
    page.wait_for_url(re.compile("/submit/[0-9a-f]+"))
    assert offsets == [0, 2**20, 2**20, 2 * 2**20]
    page.get_by_role("button", name=t("submit.drop")).click()
    expect(page).to_have_url(re.compile("/submit$"))


def test_tokens_are_made_copied_once_and_revoked(ann: Watched, console: Console, t: Words) -> None:
    label = f"notebook {t.language}"
    page = ann.open("/account")
    page.locator("input[name=label]").fill(label)
    page.get_by_role("button", name=t("token.make")).click()
    secret = page.locator(".notice code").inner_text()
    with learndock.Dock(console.dock.address, secret) as dock:
        assert dock.whoami().name == "ann"
    ann.open("/account")
    assert secret not in page.content()
    page.get_by_role("button", name=t("token.revoke_this", label=label)).click()
    expect(page.locator("tr", has_text=label).locator(".badge.bad")).to_have_text(t("token.revoked"))


def test_a_token_may_do_only_what_was_chosen(ann: Watched, console: Console, t: Words) -> None:
    label = f"reader {t.language}"
    page = ann.open("/account")
    page.locator("input[name=label]").fill(label)
    page.locator("select[name=lifetime]").select_option("30")
    page.get_by_text(t("token.limit")).click()
    page.get_by_label(t("scope.READ")).check()
    page.get_by_role("button", name=t("token.make")).click()
    with learndock.Dock(console.dock.address, page.locator(".notice code").inner_text()) as dock:
        assert dock.whoami().name == "ann"
        with pytest.raises(PermissionDenied):
            dock.list_tokens()
    ann.open("/account")
    expect(page.locator("tr", has_text=label).locator(".badge")).to_have_text(t("scope.READ"))


def test_an_invitation_makes_an_account(visitor: Watched, console: Console, t: Words) -> None:
    name = f"dora-{t.language}"
    page = visitor.sign_in(console.admin)
    visitor.open("/admin/invitations")
    page.locator("input[name=email]").fill(f"{name}@example.org")
    page.get_by_role("button", name=t("invitation.action")).click()
    code = page.locator(".notice code").inner_text()
    visitor.open("/admin/invitations")
    assert code not in page.content()
    expect(page.locator("tbody tr", has_text=f"{name}@example.org")).to_have_count(1)
    visitor.context.clear_cookies(name=COOKIE)
    visitor.open("/sign-in")
    page.get_by_role("link", name=t("sign_in.register")).click()
    page.get_by_label(t("register.code")).fill(code)
    page.get_by_label(t("field.user_name"), exact=True).fill(name)
    page.get_by_role("button", name=t("register.action")).click()
    expect(page.locator("h1")).to_have_text(t("register.welcome", name=name))
    with learndock.Dock(console.dock.address, page.locator(".notice code").inner_text()) as dock:
        assert (dock.whoami().email, dock.whoami().role) == (f"{name}@example.org", "USER")
    page.get_by_role("link", name=t("register.onward")).click()
    expect(page.locator(".menu summary")).to_contain_text(name)


def test_who_cannot_register_learns_why(visitor: Watched, console: Console, t: Words) -> None:
    page = visitor.open("/register")
    page.get_by_label(t("register.code")).fill("ldi_wrong")
    page.get_by_label(t("field.user_name"), exact=True).fill("eve")
    page.get_by_role("button", name=t("register.action")).click()
    expect(page.locator(".notice.bad")).to_contain_text("ask for another")
    expect(page.get_by_label(t("field.user_name"), exact=True)).to_have_value("eve")
    page.get_by_text(t("register.none")).click()
    page.locator("input[name=address]").fill("eve@example.org")
    page.get_by_role("button", name=t("register.request")).click()
    expect(page.locator(".notice.bad")).to_contain_text("ask an admin")
    assert [error for error in visitor.errors if "422" not in error] == []
    visitor.errors.clear()  # the browser itself reports an answer of 422


def test_an_invitation_is_revoked(admin: Watched, t: Words) -> None:
    page = admin.open("/admin/invitations")
    page.get_by_role("button", name=t("invitation.action")).click()
    code = page.locator(".notice code").inner_text()
    page.get_by_role("button", name=t("token.revoke_this", label=t("invitation.anybody"))).first.click()
    expect(page.locator(".notice.good")).to_have_text(t("done.uninvited"))
    admin.context.clear_cookies(name=COOKIE)
    admin.open("/register")
    page.get_by_label(t("register.code")).fill(code)
    page.get_by_label(t("field.user_name"), exact=True).fill("eve")
    page.get_by_role("button", name=t("register.action")).click()
    expect(page.locator(".notice.bad")).to_be_visible()
    admin.errors.clear()  # the browser itself reports an answer of 422


def test_mine_is_sorted_by_state(ann: Watched, console: Console) -> None:
    page = ann.open("/mine?state=REJECTED")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("failing")


def test_predictions_are_shown_and_brought_home(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open(f"/reuse?member={console.low}:1:0.5&member={console.high}:1:0.5")
    expect(page.get_by_text(t("reuse.warning"))).to_be_visible()
    page.locator("input[name=rows]").set_input_files(console.folder / "rows.csv")
    page.get_by_role("button", name=t("reuse.action")).click()
    link = page.get_by_role("link", name=t("action.download"))
    link.wait_for(timeout=READY)
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator(".bars li").first).to_be_visible()
    with page.expect_download() as download:
        link.click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("row,label,class")
    assert len(lines) == 61
    rows = np.loadtxt(console.folder / "rows.csv", delimiter=",")
    with learndock.Dock(console.dock.address, console.ann) as dock, dock.reuse([console.low, console.high]) as reuser:
        plain, held_back = reuser.answer(rows).outputs, reuser.adapt(rows).outputs
    shown = np.array([line.split(",")[3:] for line in lines[1:]], dtype=np.float64)
    assert np.abs(plain - held_back).max() > 1e-4
    assert shown == pytest.approx(held_back, abs=1e-5)


def test_admins_see_the_dock(admin: Watched, console: Console, t: Words) -> None:
    admin.open("/find?text=digits")
    page = admin.open("/admin")
    for name in ("by_state", "by_task", "by_data", "by_library", "by_day", "searches"):
        heading = page.get_by_role("heading", name=t(f"admin.{name}"), exact=True)
        chart = page.locator("section", has=heading).locator(".bars rect, .days rect")
        assert chart.count() > 0, name
        if name in ("by_day", "searches"):  # a rejected package; a search by words
            expect(chart.and_(page.locator(".day-second")).last).not_to_have_attribute("height", "0.0")
    expect(page.locator(".tiles")).to_contain_text(t("admin.index_now"))
    page.get_by_role("link", name=t("admin.learnwares")).click()
    expect(page.locator("tbody")).to_contain_text("secret sums")
    page.get_by_role("link", name=t("admin.audit")).click()
    page.locator("input[name=action]").fill("FinishUpload")
    page.locator("input[name=action]").press("Enter")
    expect(page.locator("tbody tr").first).to_contain_text("FinishUpload")
    page.get_by_role("link", name=t("admin.islands")).click()
    profile = page.locator("tbody tr", has_text="table-d64").locator("td").nth(3)
    before = int(profile.inner_text())
    page.get_by_role("button", name=t("index.refit")).click()
    expect(page.locator(".notice.good")).to_be_visible(timeout=READY)
    assert int(profile.inner_text()) >= before


def test_admins_validate_again(admin: Watched, console: Console, t: Words) -> None:
    page = admin.open("/admin/validations?state=REJECTED")
    page.locator("tr", has_text=console.rejected).first.get_by_role("button", name=t("validation.again")).click()
    expect(page.locator(".notice.good")).to_have_text(t("done.queued"))


def test_admins_look_after_users(admin: Watched, console: Console, t: Words) -> None:
    name = f"carol-{t.language}"
    page = admin.open("/admin/users")
    page.get_by_text(t("users.create")).click()
    page.get_by_role("textbox", name=t("field.user_name"), exact=True).fill(name)
    page.locator("input[name=email]").fill(f"{name}@example.org")
    page.get_by_role("button", name=t("users.create_action"), exact=True).click()
    first = page.locator(".notice code").inner_text()
    admin.open(f"/admin/users?text={name}")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    row.locator("select").select_option("ADMIN")
    row.get_by_role("button", name=t("users.set"), exact=True).click()
    admin.open(f"/admin/users?text={name}")
    expect(row.locator("select")).to_have_value("ADMIN")
    row.get_by_role("button", name=t("users.reset")).click()
    second = page.locator(".notice code").inner_text()
    assert first != second
    with learndock.Dock(console.dock.address, second) as dock:
        assert dock.whoami().role == "ADMIN"
    admin.open(f"/admin/users?text={name}")
    row.get_by_role("button", name=t("users.disable")).click()
    admin.open(f"/admin/users?text={name}")
    expect(row.locator(".badge.bad")).to_have_text(t("users.disabled"))
    with page.expect_download() as download:
        page.get_by_role("link", name=t("users.export")).click()
    assert f"{name}@example.org,ADMIN,yes" in download.value.path().read_text()


def test_a_private_learnware_is_nobody_elses(ann: Watched, console: Console, t: Words) -> None:
    page = ann.open(f"/learnwares/{console.secret}")
    expect(page.locator(".notice.bad")).to_contain_text(t("error.NotFound"))
    with learndock.Dock(console.dock.address, console.admin) as dock:
        assert dock.get(console.secret).visibility is Visibility.PRIVATE
    assert [error for error in ann.errors if "404" not in error] == []
    ann.errors.clear()
