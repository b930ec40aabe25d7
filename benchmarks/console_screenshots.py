"""Pictures of every page of the console, for its documentation: `make console-screenshots`."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
import re
import tempfile

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.support.console import ENGLISH_PHONE, Console, browser, populated_console, watched

FOLDER = Path(__file__).parents[1] / "docs" / "console"
_COLOURS = 128


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, populated_console(Path(folder)) as console, browser() as chromium:
        draw_user_pages(chromium, console, out)
        draw_admin_pages(chromium, console, out)
        draw_variants(chromium, console, out)


def draw_user_pages(chromium: Browser, console: Console, out: Path) -> None:
    """What a user sees."""
    with watched(chromium, console.url) as visitor:
        save(visitor.open("/sign-in"), out, "sign-in")
        save(visitor.open("/register"), out, "register")
        page = visitor.sign_in(console.ann)
        save(visitor.open("/find?text=digits"), out, "find-words")
        search_with_task(page, console)
        save(page, out, "find-task")
        save(visitor.open("/learnwares"), out, "learnwares")
        save(visitor.open(f"/learnwares/{console.low}"), out, "learnware")
        save(visitor.open(f"/learnwares/{console.rejected}"), out, "learnware-rejected")
        save(visitor.open("/submit"), out, "submit")
        page.locator("[data-upload]").set_input_files(console.folder / "package.zip")
        page.wait_for_url(re.compile("/submit/.+"))
        page.wait_for_load_state("networkidle")
        save(page, out, "submit-form")
        save(visitor.open("/mine"), out, "mine")
        save(visitor.open("/account"), out, "account")
        visitor.open(f"/reuse?member={console.low}:1:1")
        page.locator("input[name=rows]").set_input_files(console.folder / "rows.csv")
        save(page, out, "reuse")
        page.locator("main button.primary").click()
        page.get_by_role("link", name="Download").wait_for(timeout=120_000)
        save(page, out, "reuse-predictions")
        save(visitor.open("/learnwares/99999999"), out, "error")


def draw_admin_pages(chromium: Browser, console: Console, out: Path) -> None:
    """What an admin sees."""
    with watched(chromium, console.url) as visitor:
        page = visitor.sign_in(console.admin)
        visitor.open("/find?text=digits")
        save(visitor.open("/admin"), out, "admin")
        visitor.open("/admin/invitations")
        page.locator("input[name=email]").fill("carol@example.org")
        page.locator("main button.primary").click()
        for name in ("users", "invitations", "learnwares", "validations", "islands", "audit"):
            save(visitor.open(f"/admin/{name}"), out, f"admin-{name}")


def draw_variants(chromium: Browser, console: Console, out: Path) -> None:
    """Chinese, dark, and a phone."""
    with watched(chromium, console.url) as visitor:
        page = visitor.sign_in(console.ann)
        visitor.prefer(language="zh", theme="dark")
        visitor.open("/find")
        search_with_task(page, console)
        save(page, out, "find-zh-dark")
        save(visitor.open(f"/learnwares/{console.low}"), out, "learnware-zh-dark")
        visitor.prefer(theme="dark")
        save(visitor.open("/account"), out, "account-dark")
    with watched(chromium, console.url, ENGLISH_PHONE) as visitor:
        page = visitor.sign_in(console.admin)
        visitor.open("/find?text=digits")
        save(page, out, "find-phone")
        save(visitor.open(f"/learnwares/{console.low}"), out, "learnware-phone")
        visitor.prefer(language="zh", theme="dark")
        save(visitor.open("/admin"), out, "admin-phone-zh-dark")


def search_with_task(page: Page, console: Console) -> None:
    """Give the specification file, and open why the first result was offered."""
    page.locator("input[name=file]").set_input_files(console.folder / "task.json")
    page.locator(".score").first.wait_for()
    page.locator(".result details").first.locator("summary").click()
    page.locator(".scatter circle").first.wait_for()


def save(page: Page, out: Path, name: str) -> None:
    """A picture of the whole page, of few colours, so that the repository stays small."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True, animations="disabled"))).convert("RGB")
    picture.quantize(_COLOURS).save(out / f"{name}.png", optimize=True)
    print(f"{name}: {(out / f'{name}.png').stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
