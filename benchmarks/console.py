"""How quickly the console paints, how heavy its pages are, how it pages through a long list: `make bench-console`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import statistics
import tempfile
import time
from typing import Any

from playwright.sync_api import Browser, Page
from rich.console import Console as Terminal
from rich.table import Table

from benchmarks.storage_lists import fill
from tests.support.console import Watched, browser, populated_console, watched
from tests.support.dock import running_dock

PAGES = {"find": "/find?text=digits", "learnwares": "/learnwares", "submit": "/submit", "account": "/account"}
LOADS, LIST_PAGES = 11, 40
PAINT = """() => new Promise(resolve => new PerformanceObserver(list => {
  for (const entry of list.getEntries()) if (entry.name === "first-contentful-paint") resolve(entry.startTime);
}).observe({type: "paint", buffered: true}))"""
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, entry) => sum + entry.transferSize, 0)"""


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--learnwares", type=int, default=100_000, help="length of the long list")
    arguments = parser.parse_args()
    with browser() as chromium:
        figures = {"pages": pages(chromium), "list": long_list(chromium, arguments.learnwares)}
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def pages(chromium: Browser) -> dict[str, dict[str, float]]:
    """First contentful paint (median of loads without a cache) and bytes that travel, of each page."""
    with tempfile.TemporaryDirectory() as folder, populated_console(Path(folder)) as console:
        return {name: measured(chromium, console.url, console.ann, path) for name, path in PAGES.items()}


def measured(chromium: Browser, url: str, token: str, path: str) -> dict[str, float]:
    """The figures of one page; its first load, which fills the server's caches, is left out."""
    with watched(chromium, url) as visitor:
        visitor.sign_in(token)
        session = visitor.context.new_cdp_session(visitor.page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        loads = [load(visitor, path) for _ in range(LOADS + 1)][1:]
    paints, weights = zip(*loads, strict=True)
    return {
        "first_contentful_paint_ms": round(statistics.median(paints), 1),
        "first_contentful_paint_worst_ms": round(max(paints), 1),
        "weight_kb": round(weights[-1] / 1000, 1),
    }


def load(visitor: Watched, path: str) -> tuple[float, float]:
    """Milliseconds to the first paint, and bytes."""
    page = visitor.open(path)
    return float(page.evaluate(PAINT)), float(page.evaluate(WEIGHT))


def long_list(chromium: Browser, count: int) -> dict[str, float]:
    """Milliseconds for page after page of a list of `count` learnwares, in a browser."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_dock(folder) as dock:  # makes the tables
            database = dock.data_dir / "storage" / "storage.db"
        fill(f"sqlite:///{database}", count)
        with running_dock(folder, console_listen="127.0.0.1:0") as dock, watched(chromium, dock.console_url) as visitor:
            page = visitor.sign_in(dock.admin_token)
            visitor.open("/learnwares")
            turned = [turn(page) for _ in range(LIST_PAGES)]
    return {
        "learnwares": count,
        "page_p50_ms": round(statistics.median(turned), 1),
        "page_worst_ms": round(max(turned), 1),
        "last_to_first_ratio": round(mean(turned[-10:]) / mean(turned[:10]), 2),
    }


def turn(page: Page) -> float:
    """Milliseconds from the click on the next page until it is painted."""
    begun = time.perf_counter()
    page.locator("a[rel=next]").click()
    page.wait_for_load_state("load")
    page.locator("tbody tr").first.wait_for()
    return 1000 * (time.perf_counter() - begun)


def mean(numbers: Sequence[float]) -> float:
    """Their mean."""
    return statistics.fmean(numbers)


def show(figures: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table("what", "figure", "value")
    for name, numbers in figures["pages"].items():
        for key, value in numbers.items():
            table.add_row(f"page {name}", key, f"{value:g}")
    for key, value in figures["list"].items():
        table.add_row("long list", key, f"{value:g}")
    Terminal().print(table)


if __name__ == "__main__":
    main()
