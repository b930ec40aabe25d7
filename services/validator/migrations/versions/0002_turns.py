"""Who waits goes by priority, and by when its owner was served last."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the priority, and an index for the last turn of an owner."""
    op.add_column("validations", sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
    op.create_index("validations_by_turn", "validations", ["owner_id", "fence"])
    # Whoever takes the next fence locks this row, which must be there.
    op.execute(
        "INSERT INTO counters (name, value) SELECT 'fence', 0"
        " WHERE NOT EXISTS (SELECT 1 FROM counters WHERE name = 'fence')"
    )


def downgrade() -> None:
    """Take both away."""
    op.drop_index("validations_by_turn", "validations")
    op.drop_column("validations", "priority")
