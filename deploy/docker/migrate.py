"""Brings the database of a service to the newest schema, and ends: ``python /app/migrate.py SERVICE``."""

from importlib import import_module
from pathlib import Path
import sys

from learndock.serving.config import load
from learndock.serving.sql import migrate

ROOT = Path(__file__).parent


def main(service: str) -> None:
    """Run the migrations of a service on the database that its settings name."""
    settings = load(import_module(f"services.{service}.config").Settings)
    migrate(settings.database, ROOT / "services" / service / "migrations")


main(sys.argv[1])
