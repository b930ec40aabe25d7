"""The console in a browser: every page and action, against a whole dock with real learnwares."""

from __future__ import annotations

from collections.abc import Iterator
import re

from playwright.sync_api import Browser, Route, expect
import pytest

import learndock
from learndock.errors import PermissionDenied
from learndock.learnware import Visibility
from services.console.words import catalogue
from tests.support.console import Console, Watched, watched
from tests.support.models import model_package

pytestmark = pytest.mark.timeout(600)
READY = 120_000


@pytest.fixture
def visitor(console: Console, chromium: Browser) -> Iterator[Watched]:
    """A new browser context; whatever a test does, the browser complains of nothing and asks nobody else."""
    with watched(chromium, console.url) as opened:
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


def test_visitors_sign_in_and_out_and_come_back_to_where_they_were(visitor: Watched, console: Console) -> None:
    page = visitor.open("/mine")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/mine"))
    page.locator("input[name=token]").fill(console.ann)
    page.locator("main button.primary").click()
    expect(page).to_have_url(re.compile("/mine$"))
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("/sign-in$"))
    visitor.open("/mine")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_preferences_stay(ann: Watched) -> None:
    page = ann.open("/find")
    page.locator(".menu summary").click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("h1")).to_have_text(catalogue("zh")("find.title"))
    page.locator(".menu summary").click()
    page.get_by_role("button", name=catalogue("zh")("theme.dark")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    ann.open("/learnwares")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_find_answers_as_one_types(ann: Watched, console: Console) -> None:
    page = ann.open("/find")
    page.locator("#find-form input[name=text]").press_sequentially("digits_5", delay=10)
    expect(page.locator(".result")).to_have_count(1)
    expect(page.locator(".result h3")).to_have_text("digits_56789")
    expect(page).to_have_url(re.compile("text=digits_5"))
    page.get_by_label("Regression").check()
    expect(page.locator(".empty-title")).to_have_text("Nothing found")
    page.get_by_role("link", name="Start over").click()
    expect(page.locator(".result")).not_to_have_count(1)


def test_find_by_a_specification(ann: Watched, console: Console) -> None:
    page = ann.open("/find")
    page.locator("input[name=file]").set_input_files(console.folder / "task.json")
    expect(page.locator(".score").first).to_contain_text("MMD²")
    expect(page.locator("#results > .spread .badge")).to_contain_text("Certified")
    expect(page.locator(".mixture .bars li")).to_have_count(2)
    page.locator(".result details summary").first.click()
    expect(page.locator(".dots-task circle").first).to_be_visible()
    expect(page.locator(".dots-learnware circle").first).to_be_visible()
    page.locator(".mixture").get_by_text("Use it from code").click()
    page.locator(".mixture [data-copy]").first.click()
    expect(page.locator(".mixture [data-copy]").first).to_have_text("✓")
    assert "learndock.Dock" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Remove it").click()
    expect(page.locator(".score")).to_have_count(0)


def test_a_file_that_is_no_specification_says_so(ann: Watched, console: Console) -> None:
    page = ann.open("/find")
    page.locator("input[name=file]").set_input_files(console.folder / "rows.csv")
    expect(page.locator("#task .notice.bad")).to_be_visible()
    assert [error for error in ann.errors if "422" not in error] == []
    ann.errors.clear()  # the browser itself reports an answer of 422


def test_a_learnware_page_shows_all_that_is_known(ann: Watched, console: Console) -> None:
    page = ann.open(f"/learnwares/{console.low}")
    for name in ("Description", "Input", "Output", "Validation", "Statistical specification", "Versions", "Provenance"):
        expect(page.get_by_role("heading", name=name).first).to_be_visible()
    expect(page.locator(".checks li")).not_to_have_count(0)
    expect(page.locator(".scatter circle").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    with learndock.Dock(console.dock.address, console.ann) as dock:
        assert download.value.path().stat().st_size == dock.versions(console.low)[0].size_bytes


def test_a_rejected_learnware_tells_why_with_the_log(ann: Watched, console: Console) -> None:
    page = ann.open(f"/learnwares/{console.rejected}")
    expect(page.locator(".check-failed")).to_contain_text("ValueError: no")
    page.get_by_text("What the model printed").click()
    expect(page.locator("pre.log")).to_contain_text("so far so good")


def test_submit_edit_hide_delete_and_restore(ann: Watched, console: Console) -> None:
    page = ann.open("/submit")
    page.locator("[data-upload]").set_input_files(console.folder / "package.zip")
    page.wait_for_url(re.compile("/submit/.+"))
    expect(page.locator("input[name=name]")).to_have_value("package")
    page.locator("input[name=name]").fill("")
    expect(page.locator("#fault-name")).to_have_text("A name has 1 to 100 characters.")
    page.locator("input[name=name]").fill("By hand")
    expect(page.locator("#fault-name")).to_have_text("")
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url(re.compile("done=submitted"))
    expect(page.locator(".badges .state-verified")).to_be_visible(timeout=READY)  # without a reload by hand
    page.get_by_role("link", name="Edit").click()
    page.locator("textarea[name=description]").fill("**Sums**")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".prose strong")).to_have_text("Sums")
    page.get_by_role("button", name="Show to nobody else").click()
    expect(page.get_by_role("button", name="Show to everybody")).to_be_visible()
    page.get_by_text("Delete", exact=True).click()
    page.get_by_role("button", name="Yes, delete it").click()
    page.wait_for_url(re.compile("/mine"))
    page.get_by_role("link", name="By hand").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".notice.good")).to_have_text("Restored.")


def test_an_upload_goes_on_where_it_broke_off(ann: Watched, console: Console) -> None:
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
    page.get_by_role("button", name="Take another package").click()
    expect(page).to_have_url(re.compile("/submit$"))


def test_tokens_are_made_copied_once_and_revoked(ann: Watched, console: Console) -> None:
    page = ann.open("/account")
    page.locator("input[name=label]").fill("notebook")
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator(".notice code").inner_text()
    with learndock.Dock(console.dock.address, secret) as dock:
        assert dock.whoami().name == "ann"
    ann.open("/account")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke: notebook").click()
    expect(page.locator("tr", has_text="notebook").locator(".badge.bad")).to_have_text("Revoked")


def test_a_token_may_do_only_what_was_chosen(ann: Watched, console: Console) -> None:
    page = ann.open("/account")
    page.locator("input[name=label]").fill("reader")
    page.locator("select[name=lifetime]").select_option("30")
    page.get_by_text("Limit what it may be used for").click()
    page.get_by_label("Reading and searching").check()
    page.get_by_role("button", name="Make a token").click()
    with learndock.Dock(console.dock.address, page.locator(".notice code").inner_text()) as dock:
        assert dock.whoami().name == "ann"
        with pytest.raises(PermissionDenied):
            dock.list_tokens()
    ann.open("/account")
    expect(page.locator("tr", has_text="reader").locator(".badge")).to_have_text("Reading and searching")


def test_an_invitation_makes_an_account(visitor: Watched, console: Console) -> None:
    page = visitor.sign_in(console.admin)
    visitor.open("/admin/invitations")
    page.locator("input[name=email]").fill("dora@example.org")
    page.get_by_role("button", name="Invite").click()
    code = page.locator(".notice code").inner_text()
    visitor.open("/admin/invitations")
    assert code not in page.content()
    expect(page.locator("tbody tr")).to_contain_text("dora@example.org")
    visitor.context.clear_cookies()
    visitor.open("/sign-in")
    page.get_by_role("link", name="I have an invitation").click()
    page.get_by_label("Code of the invitation").fill(code)
    page.get_by_label("Name", exact=True).fill("dora")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("h1")).to_have_text("Welcome, dora")
    with learndock.Dock(console.dock.address, page.locator(".notice code").inner_text()) as dock:
        assert (dock.whoami().email, dock.whoami().role) == ("dora@example.org", "USER")
    page.get_by_role("link", name="Find a learnware").click()
    expect(page.locator(".menu summary")).to_contain_text("dora")


def test_who_cannot_register_learns_why(visitor: Watched, console: Console) -> None:
    page = visitor.open("/register")
    page.get_by_label("Code of the invitation").fill("ldi_wrong")
    page.get_by_label("Name", exact=True).fill("eve")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".notice.bad")).to_contain_text("ask for another")
    expect(page.get_by_label("Name", exact=True)).to_have_value("eve")
    page.get_by_text("I have no invitation").click()
    page.locator("input[name=address]").fill("eve@example.org")
    page.get_by_role("button", name="Send me an invitation").click()
    expect(page.locator(".notice.bad")).to_contain_text("ask an admin")
    assert [error for error in visitor.errors if "422" not in error] == []
    visitor.errors.clear()  # the browser itself reports an answer of 422


def test_an_invitation_is_revoked(admin: Watched) -> None:
    page = admin.open("/admin/invitations")
    page.get_by_role("button", name="Invite").click()
    code = page.locator(".notice code").inner_text()
    page.get_by_role("button", name="Revoke: Whoever has the code").first.click()
    expect(page.locator(".notice.good")).to_have_text("The invitation is revoked.")
    admin.context.clear_cookies()
    admin.open("/register")
    page.get_by_label("Code of the invitation").fill(code)
    page.get_by_label("Name", exact=True).fill("eve")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator(".notice.bad")).to_be_visible()
    admin.errors.clear()  # the browser itself reports an answer of 422


def test_mine_is_sorted_by_state(ann: Watched, console: Console) -> None:
    page = ann.open("/mine?state=REJECTED")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("failing")


def test_predictions_are_shown_and_brought_home(ann: Watched, console: Console) -> None:
    page = ann.open(f"/reuse?member={console.low}:1:0.5&member={console.high}:1:0.5&strategy=JOB_SELECTOR")
    expect(page.get_by_text("Your rows are sent to the dock.")).to_be_visible()
    page.locator("input[name=rows]").set_input_files(console.folder / "rows.csv")
    page.get_by_role("button", name="Predict").click()
    link = page.get_by_role("link", name="Download")
    link.wait_for(timeout=READY)
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator(".bars li").first).to_be_visible()
    with page.expect_download() as download:
        link.click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("row,label,class")
    assert len(lines) == 61


def test_admins_see_the_dock(admin: Watched, console: Console) -> None:
    admin.open("/find?text=digits")
    page = admin.open("/admin")
    for name in ("Learnwares by state", "By task", "By data", "By library", "Validations a day", "Searches a day"):
        chart = page.locator("section", has=page.get_by_role("heading", name=name)).locator(".bars rect, .days rect")
        assert chart.count() > 0, name
        if name.endswith("a day"):  # a rejected package; a search by words
            expect(chart.and_(page.locator(".day-second")).last).not_to_have_attribute("height", "0.0")
    expect(page.locator(".tiles")).to_contain_text("Up to date")
    page.get_by_role("link", name="All learnwares").click()
    expect(page.locator("tbody")).to_contain_text("secret sums")
    page.get_by_role("link", name="Audit log").click()
    expect(page.locator("tbody")).to_contain_text("FinishUpload")
    page.get_by_role("link", name="Islands and index").click()
    profile = page.locator("tbody tr", has_text="table-d64").locator("td").nth(3)
    before = int(profile.inner_text())
    page.get_by_role("button", name="Fit anew").click()
    expect(page.locator(".notice.good")).to_be_visible(timeout=READY)
    assert int(profile.inner_text()) >= before


def test_admins_validate_again(admin: Watched, console: Console) -> None:
    page = admin.open("/admin/validations?state=REJECTED")
    page.locator("tr", has_text=console.rejected).first.get_by_role("button", name="Validate again").click()
    expect(page.locator(".notice.good")).to_have_text("The validation is queued.")


def test_admins_look_after_users(admin: Watched, console: Console) -> None:
    page = admin.open("/admin/users")
    page.get_by_text("Make a user").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("carol")
    page.locator("input[name=email]").fill("carol@example.org")
    page.get_by_role("button", name="Make", exact=True).click()
    first = page.locator(".notice code").inner_text()
    admin.open("/admin/users?text=carol")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    row.locator("select").select_option("ADMIN")
    row.get_by_role("button", name="Set", exact=True).click()
    admin.open("/admin/users?text=carol")
    expect(row.locator("select")).to_have_value("ADMIN")
    row.get_by_role("button", name="Reset tokens").click()
    second = page.locator(".notice code").inner_text()
    assert first != second
    with learndock.Dock(console.dock.address, second) as dock:
        assert dock.whoami().role == "ADMIN"
    admin.open("/admin/users?text=carol")
    row.get_by_role("button", name="Disable").click()
    admin.open("/admin/users?text=carol")
    expect(row.locator(".badge.bad")).to_have_text("Disabled")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()
    assert "carol@example.org,ADMIN,yes" in download.value.path().read_text()


def test_a_private_learnware_is_nobody_elses(ann: Watched, console: Console) -> None:
    page = ann.open(f"/learnwares/{console.secret}")
    expect(page.locator(".notice.bad")).to_contain_text("no such thing")
    with learndock.Dock(console.dock.address, console.admin) as dock:
        assert dock.get(console.secret).visibility is Visibility.PRIVATE
    assert [error for error in ann.errors if "404" not in error] == []
    ann.errors.clear()
