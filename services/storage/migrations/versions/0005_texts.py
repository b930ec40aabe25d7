"""Parts of names and descriptions are found without looking at every learnware."""

from alembic import op
import sqlalchemy as sa

from learndock.v1 import types_pb2

revision = "0005"
down_revision = "0004"

COLUMNS = ("name", "words")
_ENTER = (
    "INSERT INTO learnware_texts (rowid, name, words) VALUES (CAST(new.learnware_id AS INTEGER), new.name, new.words)"
)
_REMOVE = "DELETE FROM learnware_texts WHERE rowid = CAST(old.learnware_id AS INTEGER)"


def upgrade() -> None:
    """Add what free text looks in, and its index."""
    with op.batch_alter_table("learnwares") as batch:
        batch.add_column(sa.Column("words", sa.Text, nullable=False, server_default=""))
    _fill()
    with op.batch_alter_table("learnwares") as batch:
        batch.alter_column("words", server_default=None)
    if op.get_bind().dialect.name == "sqlite":
        _index_on_sqlite()
    else:
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for column in COLUMNS:
            op.create_index(
                f"ix_learnwares_{column}_trigrams",
                "learnwares",
                [column],
                postgresql_using="gin",
                postgresql_ops={column: "gin_trgm_ops"},
            )


def downgrade() -> None:
    """Forget them."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("inserted", "updated", "deleted"):
            op.execute(f"DROP TRIGGER learnware_texts_{name}")
        op.execute("DROP TABLE learnware_texts")
    else:
        for column in COLUMNS:
            op.drop_index(f"ix_learnwares_{column}_trigrams", "learnwares")
    with op.batch_alter_table("learnwares") as batch:
        batch.drop_column("words")


def _fill() -> None:
    learnwares = sa.table(
        "learnwares", sa.column("learnware_id"), sa.column("semantic", sa.LargeBinary), sa.column("words")
    )
    connection = op.get_bind()
    for learnware_id, semantic in connection.execute(sa.select(learnwares.c.learnware_id, learnwares.c.semantic)).all():
        told = types_pb2.SemanticSpecification.FromString(semantic)
        where = learnwares.c.learnware_id == learnware_id
        connection.execute(sa.update(learnwares).where(where).values(words=f"{told.name}\n{told.description}"))


def _index_on_sqlite() -> None:
    op.execute("CREATE VIRTUAL TABLE learnware_texts USING fts5(name, words, tokenize='trigram')")
    op.execute(
        "INSERT INTO learnware_texts (rowid, name, words)"
        " SELECT CAST(learnware_id AS INTEGER), name, words FROM learnwares"
    )
    op.execute(f"CREATE TRIGGER learnware_texts_inserted AFTER INSERT ON learnwares BEGIN {_ENTER}; END")
    op.execute(f"CREATE TRIGGER learnware_texts_deleted AFTER DELETE ON learnwares BEGIN {_REMOVE}; END")
    op.execute(
        "CREATE TRIGGER learnware_texts_updated AFTER UPDATE OF name, words ON learnwares"
        f" WHEN old.name != new.name OR old.words != new.words BEGIN {_REMOVE}; {_ENTER}; END"
    )
