"""Which of a task's columns are whose, for members of another feature space."""

from alembic import op
import sqlalchemy as sa

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("reusers", sa.Column("task_input", sa.LargeBinary, nullable=False, server_default=""))
    op.add_column("members", sa.Column("columns", sa.LargeBinary, nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("members", "columns")
    op.drop_column("reusers", "task_input")
