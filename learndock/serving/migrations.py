"""What each service's ``migrations/env.py`` calls: Alembic on the URL that `learndock.serving.sql.migrate` gives."""

from __future__ import annotations

from alembic import context
from sqlalchemy import MetaData, create_engine, pool


def run(metadata: MetaData) -> None:
    """Run migrations up to what Alembic was asked for."""
    attributes = context.config.attributes
    engine = create_engine(attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=attributes["version_table"],
            render_as_batch=True,  # SQLite cannot alter columns in place
        )
        with context.begin_transaction():
            context.run_migrations()
