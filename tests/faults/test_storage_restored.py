"""A dock that is wiped comes back from its backup, on either database."""

from __future__ import annotations

from dataclasses import replace
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from learndock.cli.main import execute
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from services.storage.backup import list_backups
from services.storage.backup_places import BucketPlace
from tests.support.databases import DATABASES
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, object_store
from tests.support.storage import Storage, download, get, ids, package, replayed, served_storage

ROOT = Path(__file__).parents[2]


def care(folder: Path, url: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run an operator's command with the settings of a service."""
    settings = {"LEARNDOCK_STORAGE_DATA_DIR": str(folder), "LEARNDOCK_STORAGE_DATABASE_URL": url, **more}
    return subprocess.run(
        [sys.executable, "-m", "services.storage", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )


def contents(storage: Storage) -> list[bytes]:
    """All that callers can read, as it was."""
    learnwares = [get(storage.ann, each).SerializeToString(deterministic=True) for each in ids(storage.ann)]
    specification = storage.ann.GetSpecification(pb.GetSpecificationRequest(learnware_id=ids(storage.ann)[0]))
    changes = [change.SerializeToString(deterministic=True) for change in replayed(storage, 4)]
    return [*learnwares, specification.SerializeToString(deterministic=True), *changes]


@pytest.mark.parametrize("kind", DATABASES)
def test_a_wiped_dock_comes_back(tmp_path: Path, kind: str) -> None:
    dock, backups = tmp_path / "dock", tmp_path / "backups"
    dock.mkdir()
    url = DATABASES[kind](dock)
    with served_storage(dock, database_url=url) as storage:
        data = [package("one"), package("two")]
        first = storage.verified(data[0])
        second = storage.submit(storage.ann, data[1], visibility=types_pb2.VISIBILITY_PRIVATE).learnware.learnware_id
        storage.submit(storage.ann, package("three"), learnware_id=second)
        before = contents(storage)
        made = care(dock, url, "backup", str(backups))  # while the service runs
        assert made.returncode == 0, made.stderr
        assert "3 packages" in made.stdout
    shutil.rmtree(dock)
    dock.mkdir()
    url = DATABASES[kind](dock)
    restored = care(dock, url, "restore", str(backups))
    assert restored.returncode == 0, restored.stderr
    with served_storage(dock, database_url=url) as storage:
        assert contents(storage) == before
        assert storage.faults() == []
        assert [download(storage.ann, first), download(storage.ann, second, version=1)] == data
        assert storage.submit(storage.ann, package("four")).learnware.learnware_id == "00000003"
    assert "empty" in care(dock, url, "restore", str(backups)).stderr


def test_only_the_newest_backups_stay(tmp_path: Path) -> None:
    url = DATABASES["sqlite"](tmp_path)
    backups = tmp_path / "backups"
    with served_storage(tmp_path, database_url=url, undelete_days=1e-9, orphan_hours=1e-9) as storage:
        learnware_id = storage.submit(storage.ann, package("goes")).learnware.learnware_id
        storage.submit(storage.ann, package("stays"))
        care(tmp_path, url, "backup", str(backups))
        storage.ann.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id))
    with served_storage(tmp_path, database_url=url, undelete_days=1e-9, orphan_hours=1e-9):
        pass  # tidies up at its start
    for _ in range(2):
        assert care(tmp_path, url, "backup", str(backups), "--keep", "2").returncode == 0
    assert len(list(backups.glob("*Z/backup.json"))) == 2
    assert len([path for path in backups.glob("packages/??/??/*") if path.is_file()]) == 1


def test_a_bucket_holds_the_newest_backups_and_gives_them_back(tmp_path: Path) -> None:
    url, place = DATABASES["sqlite"](tmp_path), "s3://backups/of/the-dock"
    with object_store(tmp_path / "s3") as server:
        settings = {
            "LEARNDOCK_STORAGE_BACKUP_S3_ENDPOINT": server.endpoint,
            "LEARNDOCK_STORAGE_BACKUP_S3_ACCESS_KEY": ACCESS_KEY,
            "LEARNDOCK_STORAGE_BACKUP_S3_SECRET_KEY": SECRET_KEY,
            "LEARNDOCK_STORAGE_BACKUP_S3_SECURE": "false",
        }
        with served_storage(tmp_path, database_url=url) as storage:
            first = storage.verified(package("one", **{"weights.bin": bytes(range(256)) * 8192}))
            names = []
            for _ in range(3):
                made = care(tmp_path, url, "backup", place, "--keep", "2", **settings)
                assert made.returncode == 0, made.stderr
                names.append(made.stdout.partition(":")[0])
            data = download(storage.ann, first)
        assert list_backups(BucketPlace(replace(server.bucket("backups"), prefix="of/the-dock/"))) == names[1:]
        new = tmp_path / "new"
        new.mkdir()
        url = DATABASES["sqlite"](new)
        assert "no backup" in care(new, url, "restore", f"{place}/{names[0]}", **settings).stderr
        restored = care(new, url, "restore", f"{place}/{names[1]}", **settings)
        assert restored.returncode == 0, restored.stderr
        with served_storage(new, database_url=url) as storage:
            assert download(storage.ann, first) == data
            assert storage.faults() == []


def test_collection_tells_before_it_acts(tmp_path: Path) -> None:
    url = DATABASES["sqlite"](tmp_path)
    with served_storage(tmp_path, database_url=url) as storage:
        storage.submit(storage.ann, package())
    orphan = tmp_path / "packages" / "00" / "00" / ("0" * 64)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"left over")
    os.utime(orphan, (0, 0))
    for arguments, stays in ((["gc", "--dry-run"], True), (["gc"], False)):
        assert care(tmp_path, url, *arguments).stdout.split() == ["0" * 64, "9"]
        assert orphan.exists() is stays


def test_the_command_line_keeps_a_dock_on_this_machine(tmp_path: Path) -> None:
    with served_storage(tmp_path / "dock" / "storage") as storage:
        data = package()
        learnware_id = storage.verified(data)
    backups = str(tmp_path / "backups")
    assert execute(["backup", backups, "--data-dir", str(tmp_path / "dock")]) == 0
    assert execute(["restore", backups, "--data-dir", str(tmp_path / "new")]) == 0
    assert execute(["restore", backups, "--data-dir", str(tmp_path / "new")]) == 1
    with served_storage(tmp_path / "new" / "storage") as storage:
        assert download(storage.bob, learnware_id) == data
