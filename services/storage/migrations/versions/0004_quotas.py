"""Limits of single users."""

from alembic import op
import sqlalchemy as sa

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "quotas",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("max_bytes", sa.BigInteger, nullable=False),
        sa.Column("max_learnwares", sa.BigInteger, nullable=False),
        sa.Column("max_versions", sa.BigInteger, nullable=False),
        sa.Column("max_uploads", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("quotas")
