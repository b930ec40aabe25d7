"""Labelled rows of reusers, and what was learnt from them."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"

COLUMNS = (
    sa.Column("labelled", sa.LargeBinary, nullable=False, server_default=""),
    sa.Column("expected_error", sa.Float),
    sa.Column("explanation", sa.Text, nullable=False, server_default=""),
    sa.Column("contributions", sa.JSON, nullable=False, server_default="[]"),
)


def upgrade() -> None:
    """Add the columns."""
    for column in COLUMNS:
        op.add_column(
            "reusers",
            sa.Column(column.name, column.type, nullable=column.nullable, server_default=column.server_default),
        )


def downgrade() -> None:
    """Drop the columns."""
    for column in COLUMNS:
        op.drop_column("reusers", column.name)
