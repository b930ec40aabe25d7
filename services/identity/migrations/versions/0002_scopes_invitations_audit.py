"""Scopes and last use of tokens, invitations, accounts of outside issuers, and the audit log."""

from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and tables; what an older replica writes stays valid."""
    op.add_column("tokens", sa.Column("scopes", sa.String(100), nullable=False, server_default=""))
    op.add_column("tokens", sa.Column("last_use_time", sa.DateTime))
    op.create_table(
        "external_identities",
        sa.Column("issuer", sa.String(254), primary_key=True),
        sa.Column("subject", sa.String(254), primary_key=True),
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.user_id"), nullable=False, index=True),
        sa.Column("last_use_time", sa.DateTime),
    )
    op.create_table(
        "invitations",
        sa.Column("invitation_id", sa.String(32), primary_key=True),
        sa.Column("code_sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("inviter_id", sa.String(32), nullable=False),
        sa.Column("create_time", sa.DateTime, nullable=False),
        sa.Column("expire_time", sa.DateTime, nullable=False),
    )
    op.create_table(
        "audit_entries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("entry_id", sa.String(32), nullable=False, unique=True),
        sa.Column("time", sa.DateTime, nullable=False, index=True),
        sa.Column("user_id", sa.String(64), nullable=False, index=True),
        sa.Column("user_name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("action", sa.String(128), nullable=False),
        sa.Column("resource", sa.String(128), nullable=False, index=True),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("peer", sa.String(128), nullable=False),
    )


def downgrade() -> None:
    """Drop what was added."""
    for table in ("audit_entries", "invitations", "external_identities"):
        op.drop_table(table)
    for column in ("last_use_time", "scopes"):
        op.drop_column("tokens", column)
