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
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Browser, Page
from rich.console import Console as Terminal
from rich.table import Table

from benchmarks.storage_lists import fill
import learndock
from services.console.listing import ORDERS
from tests.support.console import Watched, browser, populated_console, watched
from tests.support.dock import RunningDock, running_dock

PAGES = {"find": "/find?text=digits", "learnwares": "/learnwares", "submit": "/submit", "account": "/account"}
LOADS, LIST_PAGES = 11, 40
# Learnwares of a page on the way down, the most that the dock gives at a time.
STRIDE = 1000
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
    page = visitor.open_calm(path)
    return float(page.evaluate(PAINT)), float(page.evaluate(WEIGHT))


def long_list(chromium: Browser, count: int) -> dict[str, float]:
    """Milliseconds for page after page of a list of `count` learnwares, in a browser: its first pages and deep ones.

    The learnwares are rows written into the catalogue's tables: submitting as many packages would take days.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_dock(folder) as dock:  # makes the tables
            database = dock.data_dir / "storage" / "storage.db"
        fill(f"sqlite:///{database}", count)
        with running_dock(folder, console_listen="127.0.0.1:0") as dock, watched(chromium, dock.console_url) as visitor:
            visitor.sign_in(dock.admin_token)
            visitor.open("/learnwares")
            first = turns(visitor.page)
            visitor.open(f"/learnwares?{urlencode({'order': ORDERS[0], 'page': deep_page(dock, count)})}")
            deep = turns(visitor.page)
    return {
        "learnwares": count,
        **percentiles("first_pages", first),
        **percentiles("deep_pages", deep),
        "deep_to_first_ratio": round(statistics.median(deep) / statistics.median(first), 2),
    }


def deep_page(dock: RunningDock, count: int) -> str:
    """Token of a page nine tenths down the list as the console orders it."""
    with learndock.Dock(dock.address, dock.admin_token) as connection:
        token = ""
        for _ in range(9 * count // 10 // STRIDE):
            token = connection.pages.learnwares(filter_="", order_by=ORDERS[0], size=STRIDE, token=token).next_token
        return token


def turns(page: Page) -> list[float]:
    """Milliseconds of turning pages, one after the other."""
    return [turn(page) for _ in range(LIST_PAGES)]


def percentiles(name: str, times: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and worst of some milliseconds."""
    p50, p95 = np.percentile(times, (50, 95))
    return {f"{name}_p50_ms": round(p50, 1), f"{name}_p95_ms": round(p95, 1), f"{name}_worst_ms": round(max(times), 1)}


def turn(page: Page) -> float:
    """Milliseconds from the click on the next page until it is painted."""
    begun = time.perf_counter()
    page.locator("a[rel=next]").click()
    page.wait_for_load_state("load")
    page.locator("tbody tr").first.wait_for()
    return 1000 * (time.perf_counter() - begun)


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
