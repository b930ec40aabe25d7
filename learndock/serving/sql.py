"""SQL databases: one SQLAlchemy way for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
import hashlib
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from google.protobuf.message import Message
from sqlalchemy import Connection, DateTime, Dialect, Engine, LargeBinary, String, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from learndock.errors import Aborted, InvalidInput, Reason, Unavailable

_BUSY_MS = 15_000
_MAX_REQUEST_ID = 64

_Message = TypeVar("_Message", bound=Message)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC; SQLite has no time zones of its own."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after turning to UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class Database:
    """A database by its URL.

    On SQLite a write takes the writer's place at its start (BEGIN IMMEDIATE), so that two of them wait for each other
    instead of failing half-way; readers go on under WAL.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, pool_pre_ping=True)
        if self.dialect == "sqlite":
            _prepare_sqlite(self._engine)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Session for reading one consistent state; nothing is kept."""
        with self._session(writes=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Session for one transaction: committed at the end, rolled back when anything is raised."""
        with self._session(writes=True) as session:
            yield session
            session.commit()

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        engine = self._engine.execution_options(learndock_writes=writes)
        try:
            with Session(engine, expire_on_commit=False) as session:
                yield session
        except OperationalError as error:
            raise Unavailable(
                Reason.SERVICE_UNAVAILABLE, "The database cannot be reached or is too busy.", retry_after=1.0
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # transactions are begun below, not by the driver
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_BUSY_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("learndock_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(url: str, migrations: Path) -> None:
    """Bring the database's schema to the newest revision of a service's migrations.

    Parameters
    ----------
    url
        Where the database is; a SQLite file's folder is made when missing.
    migrations
        The service's ``migrations`` folder.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["url"] = url
    # Services that share a database keep their revisions apart.
    config.attributes["version_table"] = f"alembic_version_{migrations.parent.name}"
    command.upgrade(config, "head")


class RequestLog:
    """Columns of a table that remembers which requests were answered, and how; mix into a service's own model."""

    caller_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    request_id: Mapped[str] = mapped_column(String(_MAX_REQUEST_ID), primary_key=True)
    request_sha256: Mapped[str] = mapped_column(String(64))
    response: Mapped[bytes] = mapped_column(LargeBinary)
    create_time: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


def once(
    session: Session,
    model: type[RequestLog],
    *,
    request_id: str,
    caller_id: str,
    request: Message,
    response_type: type[_Message],
    make: Callable[[], _Message],
) -> _Message:
    """Answer of a request that has one effect however often it comes; an empty id asks for no such thing.

    Must run in the transaction of the effect itself.

    Raises
    ------
    Aborted
        The id was used for another request (REQUEST_ID_REUSED).
    """
    if not request_id:
        return make()
    if len(request_id) > _MAX_REQUEST_ID:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"A request id has at most {_MAX_REQUEST_ID} characters.", field="request_id"
        )
    digest = hashlib.sha256(
        type(request).DESCRIPTOR.full_name.encode() + request.SerializeToString(deterministic=True)
    ).hexdigest()
    known = session.get(model, (caller_id, request_id))
    if known is None:
        response = make()
        session.add(
            model(  # type: ignore[call-arg]  # columns become arguments where the mixin is mapped
                caller_id=caller_id,
                request_id=request_id,
                request_sha256=digest,
                response=response.SerializeToString(),
            )
        )
        return response
    if known.request_sha256 != digest:
        raise Aborted(
            Reason.REQUEST_ID_REUSED,
            f"Request id {request_id} was used before for another request.",
            resource=request_id,
        )
    return response_type.FromString(known.response)
