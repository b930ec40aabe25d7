"""Tables of the storage service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from learndock.serving.sql import RequestLog, UtcDateTime


def trigrams(column: str) -> Index:
    """An index that finds parts of texts."""
    index = Index(
        f"ix_learnwares_{column}_trigrams", column, postgresql_using="gin", postgresql_ops={column: "gin_trgm_ops"}
    )
    return index.ddl_if(dialect="postgresql")


class Table(DeclarativeBase):
    """Base of the service's tables."""


class CounterRow(Table):
    """The last number given out under a name. The rows' locks put writers in order."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class LearnwareRow(Table):
    """A learnware. The words of its semantic specification are columns too, for filters.

    Parts of texts are found by their trigrams: on PostgreSQL by the indexes below, on SQLite by the table
    `learnware_texts`, which triggers keep up to date.
    """

    __tablename__ = "learnwares"
    __table_args__ = (
        Index("ix_learnwares_create_time", "create_time"),
        Index("ix_learnwares_name", "name"),
        *(trigrams(column) for column in ("name", "words")),
    )

    learnware_id: Mapped[str] = mapped_column(String(8), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(64), index=True)
    name: Mapped[str] = mapped_column(String(100))
    data: Mapped[str] = mapped_column(String(32))
    task: Mapped[str] = mapped_column(String(32))
    library: Mapped[str] = mapped_column(String(32))
    license: Mapped[str] = mapped_column(String(32))
    words: Mapped[str] = mapped_column(Text)
    semantic: Mapped[bytes] = mapped_column(LargeBinary)
    visibility: Mapped[str] = mapped_column(String(16))
    current_version: Mapped[int] = mapped_column(Integer)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)
    delete_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(BigInteger)


class VersionRow(Table):
    """A version of a learnware."""

    __tablename__ = "versions"

    learnware_id: Mapped[str] = mapped_column(ForeignKey("learnwares.learnware_id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    format_class: Mapped[str | None] = mapped_column(String(16))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    validation_id: Mapped[str] = mapped_column(String(64))
    state_reason: Mapped[str] = mapped_column(Text)
    fence: Mapped[int] = mapped_column(BigInteger)


class ContentRow(Table):
    """What is large about a version: its specification and the model's outputs on the atoms, as messages."""

    __tablename__ = "contents"
    __table_args__ = (ForeignKeyConstraint(["learnware_id", "version"], ["versions.learnware_id", "versions.version"]),)

    learnware_id: Mapped[str] = mapped_column(String(8), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    specification: Mapped[bytes | None] = mapped_column(LargeBinary)
    atom_outputs: Mapped[bytes | None] = mapped_column(LargeBinary)


class ChangeRow(Table):
    """A change, with the learnware and the version as they were right after it."""

    __tablename__ = "changes"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[int] = mapped_column(Integer)
    learnware_id: Mapped[str] = mapped_column(String(8), index=True)
    learnware: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[bytes | None] = mapped_column(LargeBinary)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)


class UploadRow(Table):
    """A package on its way in. `committed_bytes` of it are safely kept."""

    __tablename__ = "uploads"

    upload_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(64), index=True)
    learnware_id: Mapped[str] = mapped_column(String(8))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    committed_bytes: Mapped[int] = mapped_column(BigInteger)
    expire_time: Mapped[datetime] = mapped_column(UtcDateTime)


class SegmentRow(Table):
    """Bytes of an upload, from `start` on, that are an object of the bucket."""

    __tablename__ = "segments"

    upload_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(128))


class QuotaRow(Table):
    """Limits of a user that an admin has set; 0 for the dock's own."""

    __tablename__ = "quotas"

    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    max_bytes: Mapped[int] = mapped_column(BigInteger)
    max_learnwares: Mapped[int] = mapped_column(BigInteger)
    max_versions: Mapped[int] = mapped_column(BigInteger)
    max_uploads: Mapped[int] = mapped_column(BigInteger)


class RequestRow(RequestLog, Table):
    """Answered requests."""

    __tablename__ = "requests"
