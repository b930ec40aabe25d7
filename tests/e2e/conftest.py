"""One dock with a console, and one browser, for all tests that look at pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.console import Console


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A dock with a console, users and learnwares."""
    from tests.support.console import populated_console

    with populated_console(tmp_path_factory.mktemp("console")) as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser."""
    from tests.support.console import browser

    with browser() as launched:
        yield launched
