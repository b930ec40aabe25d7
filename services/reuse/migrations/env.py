"""Alembic's entry point."""

from learndock.serving.migrations import run
from services.reuse.models import Table

run(Table.metadata)
