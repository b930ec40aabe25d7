"""Alembic's entry point."""

from learndock.serving.migrations import run
from services.identity.models import Table

run(Table.metadata)
