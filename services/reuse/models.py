"""Tables of the reuse service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from learndock.serving.sql import RequestLog, UtcDateTime


class Table(DeclarativeBase):
    """Base of the service's tables."""


class ReuserRow(Table):
    """A reuser, with all that is needed to start its sandboxes again."""

    __tablename__ = "reusers"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    reuser_id: Mapped[str] = mapped_column(String(32), unique=True)
    owner_id: Mapped[str] = mapped_column(String(64), index=True)
    strategy: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    phase: Mapped[str] = mapped_column(String(200))
    percent: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    item_shape: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    expire_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    labelled: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    presumed: Mapped[str] = mapped_column(String(16), default="")
    expected_error: Mapped[float | None] = mapped_column(Float)
    explanation: Mapped[str] = mapped_column(Text, default="")
    contributions: Mapped[list[float]] = mapped_column(JSON, default=list)
    task_input: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    members: Mapped[list[MemberRow]] = relationship(
        order_by="MemberRow.position", cascade="all, delete-orphan", passive_deletes=True, lazy="selectin"
    )


class MemberRow(Table):
    """A member; its specifications are kept as the messages that storage gave."""

    __tablename__ = "members"

    reuser_id: Mapped[str] = mapped_column(ForeignKey("reusers.reuser_id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    learnware_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Integer)
    weight: Mapped[float] = mapped_column(Float)
    sha256: Mapped[str] = mapped_column(String(64))
    semantic: Mapped[bytes] = mapped_column(LargeBinary)
    specification: Mapped[bytes] = mapped_column(LargeBinary)
    fault: Mapped[str] = mapped_column(Text, default="")
    columns: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class RequestRow(RequestLog, Table):
    """Answered requests."""

    __tablename__ = "requests"
