"""Alembic's entry point."""

from learndock.serving.migrations import run
from services.storage.models import Table

run(Table.metadata)
