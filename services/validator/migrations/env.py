"""Alembic's entry point."""

from learndock.serving.migrations import run
from services.validator.models import Table

run(Table.metadata)
