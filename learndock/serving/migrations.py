"""What each service's ``migrations/env.py`` calls: Alembic on the URL that `learndock.serving.sql.migrate` gives."""

from __future__ import annotations

from alembic import context
from sqlalchemy import MetaData, create_engine, pool

from learndock.serving.sql import driven

_LOCK = 7450  # any number that is always the same


def run(metadata: MetaData) -> None:
    """Run migrations up to what Alembic was asked for."""
    attributes = context.config.attributes
    engine = create_engine(driven(attributes["url"]), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=attributes["version_table"],
            render_as_batch=True,  # SQLite cannot alter columns in place
        )
        with context.begin_transaction():
            if engine.dialect.name == "postgresql":  # replicas of a service that start together take turns
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            context.run_migrations()
