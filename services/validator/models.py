"""Tables of the validator."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from learndock.serving.sql import RequestLog, UtcDateTime


class Table(DeclarativeBase):
    """Base of the service's tables."""


class ValidationRow(Table):
    """A validation, and the lease on it."""

    __tablename__ = "validations"
    __table_args__ = (
        Index("validations_by_version", "learnware_id", "version"),
        Index("validations_by_state", "state", "available_at"),
        Index("validations_by_turn", "owner_id", "fence"),
    )

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    validation_id: Mapped[str] = mapped_column(String(32), unique=True)
    # The change that asked for it; unique, so that a change that comes twice has one effect.
    change_sequence: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    learnware_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Integer)
    owner_id: Mapped[str] = mapped_column(String(64), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    semantic: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    phase: Mapped[str] = mapped_column(String(32), default="")
    percent: Mapped[int] = mapped_column(Integer, default=0)
    report: Mapped[dict[str, object]] = mapped_column(JSON, default=dict)
    log_tail: Mapped[str] = mapped_column(Text, default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    faults: Mapped[int] = mapped_column(Integer, default=0)
    revision: Mapped[int] = mapped_column(Integer, default=0)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    end_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    available_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fence: Mapped[int] = mapped_column(BigInteger, default=0)
    holder: Mapped[str] = mapped_column(String(200), default="")
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CounterRow(Table):
    """Numbers that only grow: the last change that was taken in, the last fence."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class RequestRow(RequestLog, Table):
    """Answered requests."""

    __tablename__ = "requests"
