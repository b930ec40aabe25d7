"""Generate the pages of docs/ that follow from the code: errors, settings, metrics and commands.

A test compares the pages with what this program would write, so they cannot be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tools.commands import commands_page
from tools.metrics import metrics_page
from tools.reasons import reasons_page
from tools.settings import settings_page

ROOT = Path(__file__).resolve().parents[1]

PAGES: Mapping[str, Callable[[], str]] = {
    "errors.md": reasons_page,
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "cli.md": commands_page,
}
"""What each page of docs/ is made by."""


def stale() -> Iterable[str]:
    """Names of the pages that differ from what the code says."""
    for name, render in PAGES.items():
        path = ROOT / "docs" / name
        if not path.exists() or path.read_text() != render():
            yield name


if __name__ == "__main__":
    for page, renderer in PAGES.items():
        (ROOT / "docs" / page).write_text(renderer())
