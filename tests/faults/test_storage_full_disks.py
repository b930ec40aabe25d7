"""A disk is really full, under the database or under the packages: nothing acknowledged is lost, and work goes on."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from learndock.errors import Unavailable
from tests.support.patience import eventually, patiently
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.small_disk import small_disk
from tests.support.storage import Storage, download, ids, package, served_storage


def submitted(storage: Storage, note: str, kept: dict[str, bytes]) -> Unavailable | None:
    """Submit a package and note that it was acknowledged; or why not."""
    data = package(note)
    try:
        kept[storage.submit(storage.ann, data).learnware.learnware_id] = data
    except Unavailable as error:
        return error
    return None


def check(storage: Storage, kept: dict[str, bytes]) -> None:
    """Everything acknowledged is there, and all invariants hold."""
    assert set(kept) <= set(ids(storage.ann, page_size=1000))
    assert all(download(storage.ann, learnware_id) == data for learnware_id, data in kept.items())
    assert storage.faults() == []


@pytest.mark.parametrize("kind", ["sqlite", "packages"])
def test_a_full_disk_under_one_folder_is_unavailable_and_then_work_goes_on(tmp_path: Path, kind: str) -> None:
    kept: dict[str, bytes] = {}
    with small_disk(8) as disk:
        url = f"sqlite:///{(disk.folder if kind == 'sqlite' else tmp_path) / 'storage.db'}"
        data_dir = tmp_path if kind == "sqlite" else disk.folder
        with served_storage(data_dir, database_url=url) as storage:
            assert submitted(storage, "before", kept) is None
            disk.fill()
            refusals = [submitted(storage, f"full {number}", kept) for number in range(3)]
            assert refusals[-1] is not None
            assert all(error.retry_after for error in refusals if error)
            assert "00000001" in ids(storage.ann), "what is there is still read"
            disk.make_room()
            assert patiently(lambda: storage.submit(storage.ann, package("after"))).learnware.learnware_id
            check(storage, kept)


def test_a_full_disk_under_postgresql_loses_no_acknowledged_write(tmp_path: Path) -> None:
    kept: dict[str, bytes] = {}
    with small_disk(160) as disk, postgres_server(disk.folder) as server:
        url = server.url(server.new_database())
        with served_storage(tmp_path, database_url=url) as storage:
            assert submitted(storage, "before", kept) is None
            disk.fill()
            for number in range(5):  # the files of tables and of the log have some room yet
                submitted(storage, f"full {number}", kept)
            end_the_log(server)
            error = submitted(storage, "refused", kept)
            assert error is not None
            assert error.retry_after
            disk.make_room()
            assert eventually(lambda: revived(server, storage))
            submitted(storage, "after", kept)
            check(storage, kept)


def end_the_log(server: PostgresServer) -> None:
    """Write to PostgreSQL's log until it finds no room, which ends the server."""
    many = "SELECT pg_logical_emit_message(false, 'full', repeat('x', 1000000)) FROM generate_series(1, 1000)"
    with pytest.raises(psycopg.OperationalError), psycopg.connect(server.url("postgres")) as connection:
        connection.execute(many)


def revived(server: PostgresServer, storage: Storage) -> bool:
    """Whether the server is up, having been started where it had given up."""
    server.revive()
    try:
        ids(storage.ann)
    except Unavailable:
        return False
    return True
