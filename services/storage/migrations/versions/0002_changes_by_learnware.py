"""Changes know their learnware, so that those overtaken by later ones can be dropped."""

from alembic import op
import sqlalchemy as sa

from learndock.v1 import types_pb2

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the learnware of each change."""
    with op.batch_alter_table("changes") as batch:
        batch.add_column(sa.Column("learnware_id", sa.String(8), nullable=False, server_default=""))
    changes = sa.table(
        "changes",
        sa.column("sequence", sa.BigInteger),
        sa.column("learnware", sa.LargeBinary),
        sa.column("learnware_id", sa.String),
    )
    connection = op.get_bind()
    for sequence, learnware in connection.execute(sa.select(changes.c.sequence, changes.c.learnware)).all():
        learnware_id = types_pb2.Learnware.FromString(learnware).learnware_id
        connection.execute(sa.update(changes).where(changes.c.sequence == sequence).values(learnware_id=learnware_id))
    with op.batch_alter_table("changes") as batch:
        batch.alter_column("learnware_id", server_default=None)
        batch.create_index("ix_changes_learnware_id", ["learnware_id"])


def downgrade() -> None:
    """Forget the learnware of each change."""
    with op.batch_alter_table("changes") as batch:
        batch.drop_index("ix_changes_learnware_id")
        batch.drop_column("learnware_id")
