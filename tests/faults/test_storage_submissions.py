"""Submissions while replicas die or connections break at any moment: each succeeds, with one effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import random

import pytest

from learndock.account import Role
from learndock.client.dock import Dock
from learndock.v1 import storage_service_pb2 as pb
from tests.support.databases import DATABASES
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, object_store
from tests.support.storage import ids, package, served_storage
from tests.support.storage_process import StorageProcess
from tests.support.tcp_proxy import tcp_proxy

# What a submission passes, and how often it was passed before the replica dies there.
POINTS = [
    ("transaction.ready", 0),  # of the start
    ("transaction.committed", 0),
    ("upload.synced", 0),
    ("upload.committed", 0),
    ("finish.examined", 0),
    ("finish.stored", 0),
    ("transaction.ready", 1),  # of the end, or of another start
    ("transaction.committed", 1),
    ("finish.committed", 0),
    ("finish.discarded", 0),
]
ENOUGH = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.mark.parametrize(("point", "after"), POINTS)
def test_a_submission_survives_the_death_of_a_replica(
    server: ObjectStore, tmp_path: Path, point: str, after: int
) -> None:
    settings: dict[str, object] = {
        "database_url": DATABASES["postgresql"](tmp_path),
        "s3_endpoint": server.endpoint,
        "s3_bucket": "packages",
        "s3_access_key": ACCESS_KEY,
        "s3_secret_key": SECRET_KEY,
        "s3_secure": False,
    }
    mortal = StorageProcess({**settings, "data_dir": tmp_path / "mortal"}, point=point, after=after)
    steady = StorageProcess({**settings, "data_dir": tmp_path / "steady"})
    try:
        with Dock({"storage": f"{mortal.address},{steady.address}"}, "USER:ann") as dock:
            made = []
            while not mortal.wait(0.0):
                made.append(submit(dock, tmp_path, f"{point} {after} {len(made)}"))
                assert len(made) < ENOUGH, "the replica does not reach the point"
            made.append(submit(dock, tmp_path, "after its death"))
        assert ids(steady.stub(Role.USER, "ann"), page_size=100) == made
        admin = steady.stub(Role.ADMIN, "root")
        assert list(admin.CheckIntegrity(pb.CheckIntegrityRequest(read_packages=True))) == []
    finally:
        mortal.kill()
        steady.kill()


def test_submissions_survive_connections_that_break(tmp_path: Path) -> None:
    """The service goes on with what it has begun, so that two tries of one call are at work at a time."""
    chance = random.Random(4)
    with served_storage(tmp_path / "dock") as storage, tcp_proxy(storage.served.address) as proxy:
        with Dock({"storage": proxy.address}, "USER:ann") as dock:
            ids(storage.ann)
            proxy.change = lambda data: b"" if chance.random() < 0.1 else data
            made = [submit(dock, tmp_path, str(number)) for number in range(20)]
        assert ids(storage.ann, page_size=100) == made
        assert storage.faults() == []


def submit(dock: Dock, folder: Path, note: str) -> str:
    path = folder / "package.zip"
    path.write_bytes(package(note))
    return dock.submit(path).learnware_id
