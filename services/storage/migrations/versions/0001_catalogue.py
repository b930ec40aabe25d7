"""Learnwares, versions, changes, uploads and answered requests."""

from alembic import op
import sqlalchemy as sa

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    counters = op.create_table(
        "counters",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counters, [{"name": "change", "value": 0}, {"name": "learnware", "value": 0}])
    op.create_table(
        "learnwares",
        sa.Column("learnware_id", sa.String(8), primary_key=True),
        sa.Column("owner_id", sa.String(64), nullable=False, index=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("data", sa.String(32), nullable=False),
        sa.Column("task", sa.String(32), nullable=False),
        sa.Column("library", sa.String(32), nullable=False),
        sa.Column("license", sa.String(32), nullable=False),
        sa.Column("semantic", sa.LargeBinary, nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("current_version", sa.Integer, nullable=False),
        sa.Column("create_time", sa.DateTime, nullable=False),
        sa.Column("update_time", sa.DateTime, nullable=False),
        sa.Column("delete_time", sa.DateTime),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_learnwares_create_time", "learnwares", ["create_time"])
    op.create_index("ix_learnwares_name", "learnwares", ["name"])
    op.create_table(
        "versions",
        sa.Column("learnware_id", sa.String(8), sa.ForeignKey("learnwares.learnware_id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("format_class", sa.String(16)),
        sa.Column("create_time", sa.DateTime, nullable=False),
        sa.Column("validation_id", sa.String(64), nullable=False),
        sa.Column("state_reason", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "contents",
        sa.Column("learnware_id", sa.String(8), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("specification", sa.LargeBinary),
        sa.Column("atom_outputs", sa.LargeBinary),
        sa.ForeignKeyConstraint(["learnware_id", "version"], ["versions.learnware_id", "versions.version"]),
    )
    op.create_table(
        "changes",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Integer, nullable=False),
        sa.Column("learnware", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.LargeBinary),
        sa.Column("create_time", sa.DateTime, nullable=False),
    )
    op.create_table(
        "uploads",
        sa.Column("upload_id", sa.String(32), primary_key=True),
        sa.Column("owner_id", sa.String(64), nullable=False, index=True),
        sa.Column("learnware_id", sa.String(8), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("committed_bytes", sa.BigInteger, nullable=False),
        sa.Column("expire_time", sa.DateTime, nullable=False),
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
    for table in ("requests", "uploads", "changes", "contents", "versions", "learnwares", "counters"):
        op.drop_table(table)
