"""Uploads know their digest, and where their bytes lie in a bucket."""

from alembic import op
import sqlalchemy as sa

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the digest and the segments of uploads."""
    with op.batch_alter_table("uploads") as batch:
        batch.add_column(sa.Column("sha256", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "segments",
        sa.Column("upload_id", sa.String(32), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(128), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("segments")
    with op.batch_alter_table("uploads") as batch:
        batch.drop_column("sha256")
