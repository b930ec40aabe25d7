"""What the catalogue promises on every database: writers in order, a log without gaps, own writes seen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
import pytest
from sqlalchemy import insert, select, text

from learndock import errors
from learndock.account import Principal, Role
from learndock.learnware import Learnware, Visibility
from learndock.serving.sql import Database, migrate, now
from learndock.v1 import storage_service_pb2 as pb
from learndock.wire import learnware_to_message, semantic_to_message
from services.storage import catalogue, wiring
from services.storage.blobs import FolderBlobs
from services.storage.changes import ChangeFeed, compact, log_learnware
from services.storage.collection import Collection
from services.storage.integrity import IntegrityCheck
from services.storage.models import ChangeRow, LearnwareRow, Table
from services.storage.store import add_version, set_contents
from tests.support.databases import DATABASES
from tests.support.postgres import postgres_server, replica_of
from tests.support.storage import SEMANTIC, Storage, get, ids, package, served_storage

ANN = Principal("ann", "ann", Role.USER)
MIGRATIONS = Path(wiring.__file__).parent / "migrations"


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return DATABASES[request.param](tmp_path)


@pytest.fixture
def storage(url: str, tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path, database_url=url) as made:
        yield made


def enter(feed: ChangeFeed, number: int) -> str:
    with feed.transaction() as session:
        made = catalogue.new_package("", f"{number:064x}", 1, None)
        learnware, _ = catalogue.enter_learnware(session, ANN, SEMANTIC, Visibility.PUBLIC, made, None)
    return learnware.learnware_id


def test_concurrent_writers_leave_no_gap_and_share_no_id(url: str) -> None:
    """Each writer has connections of its own, as another process has; a reader never sees a later change first."""
    migrate(url, MIGRATIONS)
    databases = [Database(url) for _ in range(8)]
    seen: list[list[int]] = []

    def write(writer: int) -> list[str]:
        feed = ChangeFeed(databases[writer], 0.1)
        return [enter(feed, 100 * writer + number) for number in range(10)]

    def read() -> None:
        while not seen or len(seen[-1]) < 80:
            with databases[0].read() as session:
                seen.append(list(session.scalars(select(ChangeRow.sequence).order_by(ChangeRow.sequence))))

    with ThreadPoolExecutor(9) as pool:
        reader = pool.submit(read)
        made = [learnware_id for found in pool.map(write, range(8)) for learnware_id in found]
        reader.result()
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)
    assert sorted(made) == [f"{number:08d}" for number in range(1, 81)]
    for database in databases:
        database.close()


def test_a_failed_writer_leaves_no_gap(url: str) -> None:
    migrate(url, MIGRATIONS)
    database = Database(url)
    feed = ChangeFeed(database, 0.1)
    enter(feed, 1)
    with pytest.raises(errors.NotFound):
        fail_half_way(feed)
    assert enter(feed, 2) == "00000002"
    with database.read() as session:
        assert list(session.scalars(select(ChangeRow.sequence).order_by(ChangeRow.sequence))) == [1, 2]
    database.close()


def fail_half_way(feed: ChangeFeed) -> None:
    with feed.transaction() as session:
        made = catalogue.new_package("", "f" * 64, 1, None)
        catalogue.enter_learnware(session, ANN, SEMANTIC, Visibility.PUBLIC, made, None)
        catalogue.delete_learnware(session, ANN, "00000099")


def test_no_id_is_given_out_again_after_a_purge(url: str) -> None:
    migrate(url, MIGRATIONS)
    database = Database(url)
    feed = ChangeFeed(database, 0.1)
    last = [enter(feed, number) for number in range(3)][-1]
    with feed.transaction() as session:
        catalogue.delete_learnware(session, ANN, last)
    with feed.transaction() as session:
        assert session.execute(text("UPDATE learnwares SET delete_time = '2020-01-01' WHERE delete_time IS NOT NULL"))
    with database.write() as session:
        catalogue.purge_deleted(session, window=timedelta(days=1))
    assert enter(feed, 9) == "00000004"
    database.close()


def test_old_changes_become_a_snapshot(url: str) -> None:
    """Whoever follows from anywhere ends with the same state, and hears of what is new without a gap."""
    migrate(url, MIGRATIONS)
    database = Database(url)
    feed = ChangeFeed(database, 0.1)
    first, second = enter(feed, 1), enter(feed, 2)
    for learnware_id in (first, second, first):
        with feed.transaction() as session:
            log_learnware(session, learnware_id, pb.CHANGE_KIND_LEARNWARE_UPDATED)
    with feed.transaction() as session:
        assert compact(session, now()) == 3
    enter(feed, 3)
    with feed.transaction() as session:
        assert compact(session, now() - timedelta(hours=1)) == 0
    for after, heard in ((0, [4, 5, 6]), (3, [4, 5, 6]), (5, [6])):
        assert [change.sequence for change in islice(feed.follow(after), len(heard))] == heard
    with pytest.raises(errors.OutOfRange):
        next(feed.follow(7))
    blobs = FolderBlobs(Path(tempfile.mkdtemp()))
    check = IntegrityCheck(database, feed, blobs, Collection(database, blobs, timedelta()))
    assert [fault for fault in check.run(read_packages=False) if fault.invariant == "I5"] == []
    database.close()


def test_texts_that_no_database_keeps_are_the_callers_fault(storage: Storage) -> None:
    with pytest.raises((errors.InvalidInput, errors.NotFound)):
        get(storage.ann, "0000\x0001")
    with suppress(errors.InvalidInput):
        assert ids(storage.ann, filter='name = "a\x00b"') == []


def test_the_schema_is_the_models(url: str) -> None:
    """From nothing, by migrations only; a second start has nothing to do."""
    for _ in range(2):
        migrate(url, MIGRATIONS)
    database = Database(url)
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"version_table": "alembic_version_storage"})
        differences = compare_metadata(context, Table.metadata)
    database.close()
    # SQLite has a table of its own in place of the indexes of trigrams.
    left = [each for each in differences if each[0] != "remove_table"]
    ours = [each for each in left if database.dialect == "postgresql" or not each[1].name.endswith("_trigrams")]
    assert ours == []


def test_processes_that_start_together_migrate_in_turns(tmp_path: Path) -> None:
    url = DATABASES["postgresql"](tmp_path)
    lines = (
        "import pathlib, sys",
        "from learndock.serving.sql import migrate",
        "migrate(sys.argv[1], pathlib.Path(sys.argv[2]))",
    )
    command_line = [sys.executable, "-c", "\n".join(lines), url, str(MIGRATIONS)]
    started = [subprocess.Popen(command_line, cwd=MIGRATIONS.parents[2]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]


def test_a_catalogue_of_the_first_release_is_brought_up_to_date(url: str, tmp_path: Path) -> None:
    upgrade_to(url, "0001")
    learnware_id = enter_in_first_release(url)
    with served_storage(tmp_path, database_url=url) as storage:
        assert get(storage.ann, learnware_id).learnware_id == learnware_id
        assert ids(storage.ann, filter='text:"toy"') == [learnware_id]
        assert storage.submit(storage.ann, package()).learnware.learnware_id == "00000002"


def enter_in_first_release(url: str) -> str:
    """A learnware and its change in the tables as they were."""
    database = Database(url)
    version = replace(catalogue.new_package("00000001", "7" * 64, 1, None), version=1)
    with database.write() as session:
        learnware = Learnware("00000001", "ann", SEMANTIC, Visibility.PUBLIC, version, now(), now())
        words = {name: getattr(SEMANTIC, name) for name in ("name", "data", "task", "library", "license")}
        session.execute(
            insert(LearnwareRow).values(
                learnware_id="00000001", owner_id="ann", visibility="PUBLIC", current_version=1, revision=1, **words,
                semantic=semantic_to_message(SEMANTIC).SerializeToString(), create_time=now(), update_time=now(),
            )
        )  # fmt: skip
        add_version(session, version)
        session.execute(text("UPDATE counters SET value = 1"))
        row = {"learnware": learnware_to_message(learnware).SerializeToString(), "time": now().replace(tzinfo=None)}
        columns = "sequence, kind, learnware, create_time"
        session.execute(text(f"INSERT INTO changes ({columns}) VALUES (1, 1, :learnware, :time)"), row)  # noqa: S608
        set_contents(session, "00000001", 1, None)
    database.close()
    return "00000001"


def upgrade_to(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(url=url, version_table="alembic_version_storage")
    command.upgrade(config, revision)


def test_lists_read_a_replica_and_see_every_own_write(tmp_path: Path) -> None:
    with postgres_server() as primary, replica_of(primary) as replica:
        name = primary.new_database()
        with served_storage(tmp_path, database_url=primary.url(name), read_database_url=replica.url(name)) as storage:
            made = [storage.submit(storage.ann, package(str(n))).learnware.learnware_id for n in range(3)]
            assert ids(storage.ann) == made
            assert wait_for_replica(storage, primary.url(name), replica.url(name))
            replica.stop()
            assert ids(storage.ann) == made, "a replica that is away is passed by"


def wait_for_replica(storage: Storage, url: str, replica_url: str) -> bool:
    """Whether reads come to the replica once it has caught up; tells them apart by what the server says of itself."""
    database = Database(url, replica_url)
    try:
        for _ in range(600):
            with database.read_replica() as session:
                if session.scalar(text("SELECT pg_is_in_recovery()")):
                    assert session.scalar(select(LearnwareRow.learnware_id).limit(1)) is not None
                    return True
            time.sleep(0.1)
        return False
    finally:
        database.close()


def test_a_lagging_replica_never_hides_a_write(tmp_path: Path) -> None:
    with postgres_server() as primary, replica_of(primary) as replica:
        name = primary.new_database()
        with served_storage(tmp_path, database_url=primary.url(name), read_database_url=replica.url(name)) as storage:
            storage.submit(storage.ann, package())
            pause = Database(replica.url(name))
            wait_for_replica(storage, primary.url(name), replica.url(name))
            with pause.read() as session:
                session.execute(text("SELECT pg_wal_replay_pause()"))
            later = storage.submit(storage.ann, package("later")).learnware.learnware_id
            assert later in ids(storage.ann)
            assert storage.admin.GetCatalogueSummary(pb.GetCatalogueSummaryRequest()).learnwares == 2
            pause.close()
