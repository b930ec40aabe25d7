"""Reusers, their members and answered requests."""

from alembic import op
import sqlalchemy as sa

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "reusers",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("reuser_id", sa.String(32), nullable=False, unique=True),
        sa.Column("owner_id", sa.String(64), nullable=False, index=True),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(200), nullable=False),
        sa.Column("percent", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("item_shape", sa.JSON),
        sa.Column("create_time", sa.DateTime, nullable=False),
        sa.Column("expire_time", sa.DateTime, nullable=False, index=True),
    )
    op.create_table(
        "members",
        sa.Column("reuser_id", sa.String(32), sa.ForeignKey("reusers.reuser_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("learnware_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("semantic", sa.LargeBinary, nullable=False),
        sa.Column("specification", sa.LargeBinary, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("caller_id", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("request_sha256", sa.String(64), nullable=False),
        sa.Column("response", sa.LargeBinary, nullable=False),
        sa.Column("create_time", sa.DateTime, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("requests", "members", "reusers"):
        op.drop_table(table)
