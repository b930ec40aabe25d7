"""SQL databases: one SQLAlchemy way for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
import hashlib
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from google.protobuf.message import Message
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    LargeBinary,
    String,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from learndock.errors import Aborted, InvalidInput, Reason, Unavailable

_BUSY_MS = 15_000
_POOL_SIZE = 16
_POOL_SECONDS = 5.0
_CONNECT_SECONDS = 3
# A server that falls silent is noticed as one that refuses connections: in seconds, not when TCP gives up.
_SILENCE = {"tcp_user_timeout": 3000, "keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 3}
# SQLite's readers see one state anyway; PostgreSQL's have to ask for it.
_READING: Mapping[str, Mapping[str, object]] = {
    "sqlite": {"learndock_writes": False},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_WRITING: Mapping[str, Mapping[str, object]] = {"sqlite": {"learndock_writes": True}, "postgresql": {}}
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

    Parameters
    ----------
    url
        SQLAlchemy URL.
    replica_url
        URL of a streaming replica of it, on PostgreSQL; empty for none.
    """

    def __init__(self, url: str, replica_url: str = "") -> None:
        self._engine = _engine(url)
        self._replica = _engine(replica_url) if replica_url else None

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Session for reading one consistent state; nothing is kept."""
        with _session(self._engine, _READING) as session:
            yield session

    @contextmanager
    def read_replica(self) -> Iterator[Session]:
        """As `read`, on the replica where there is one that knows all that was committed until now.

        So every caller sees what was written before, by whichever process; a replica that lags or is away is passed by.
        """
        engine = self._replica if self._replica is not None and self._has_caught_up(self._replica) else self._engine
        with _session(engine, _READING) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Session for one transaction: committed at the end, rolled back when anything is raised."""
        with _session(self._engine, _WRITING) as session:
            yield session
            session.commit()

    def ping(self) -> None:
        """Raise `Unavailable` unless the database answers."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        if self._replica is not None:
            self._replica.dispose()

    def _has_caught_up(self, replica: Engine) -> bool:
        with self.read() as session:
            written = session.scalar(text("SELECT pg_current_wal_flush_lsn()::text"))
        try:
            with replica.connect() as connection:
                behind = text("SELECT pg_last_wal_replay_lsn() >= CAST(:written AS pg_lsn)")
                return bool(connection.scalar(behind, {"written": written}))
        except (DBAPIError, PoolTimeout):
            return False


@contextmanager
def _session(engine: Engine, options: Mapping[str, Mapping[str, object]]) -> Iterator[Session]:
    try:
        with Session(engine.execution_options(**options[engine.dialect.name]), expire_on_commit=False) as session:
            yield session
    except DataError as error:  # such as a NUL character on PostgreSQL
        raise InvalidInput(Reason.FIELD_INVALID, "A text holds a character that cannot be kept.") from error
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, "The database cannot be reached or is too busy.", retry_after=1.0
        ) from error


def _engine(url: str) -> Engine:
    parsed = driven(url)
    if parsed.get_backend_name() != "postgresql":
        engine = create_engine(parsed, pool_pre_ping=True)
        _prepare_sqlite(engine)
        return engine
    return create_engine(
        parsed,
        pool_pre_ping=True,
        pool_size=_POOL_SIZE,
        max_overflow=_POOL_SIZE,
        pool_timeout=_POOL_SECONDS,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "options": f"-c lock_timeout={_BUSY_MS}", **_SILENCE},
    )


def driven(url: str) -> URL:
    """A URL with the driver that is installed, where it names none."""
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


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
    # Each service has a database of its own; this table tells whose one is.
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
    _hold_request(session, f"{caller_id} {request_id}")
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


def _hold_request(session: Session, name: str) -> None:
    """Let another try of the same request wait until this one has ended; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
