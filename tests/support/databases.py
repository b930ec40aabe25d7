"""The databases that the catalogue runs on, each new and empty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.postgres import shared_server


def _postgres(_folder: Path) -> str:
    server = shared_server()
    return server.url(server.new_database())


DATABASES: Mapping[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'storage.db'}",
    "postgresql": _postgres,
}
"""URL of a new database, by kind; given a folder for its files."""
