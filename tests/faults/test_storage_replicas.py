"""Two replicas of the service on one PostgreSQL and one bucket: any of them goes on with what any other has begun."""

from __future__ import annotations

from collections.abc import Iterator
import hashlib
from itertools import cycle
from pathlib import Path
from typing import cast

import pytest

from learndock.account import Role
from learndock.client import transfer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from tests.support.databases import DATABASES
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, object_store
from tests.support.storage import MIB, download, package
from tests.support.storage_process import StorageProcess

CALLS = ("StartUpload", "GetUpload", "WriteUpload", "FinishUpload")


class RoundRobin:
    """A caller whose calls go to one replica after the other, as a load balancer sends them."""

    def __init__(self, stubs: list[StorageServiceStub]) -> None:
        turns = cycle(stubs)
        for name in CALLS:
            setattr(self, name, lambda *args, name=name, **options: getattr(next(turns), name)(*args, **options))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, object]]:
    with object_store(tmp_path / "s3") as store:
        yield {
            "database_url": DATABASES["postgresql"](tmp_path),
            "s3_endpoint": store.endpoint,
            "s3_bucket": "packages",
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
            "s3_secure": False,
            "poll_seconds": 0.05,
        }


def chunks(upload_id: str, data: bytes, begin: int, end: int) -> Iterator[pb.WriteUploadRequest]:
    for at in range(begin, end, MIB):
        yield pb.WriteUploadRequest(upload_id=upload_id, offset=at, data=data[at : min(at + MIB, end)])


def test_an_upload_outlives_the_replica_that_took_it(tmp_path: Path, settings: dict[str, object]) -> None:
    data = package("large", weights=bytes(range(256)) * (5 * MIB // 256))
    replicas = [StorageProcess({**settings, "data_dir": tmp_path / name}) for name in ("one", "two")]
    try:
        one, two = (replica.stub(Role.USER, "ann") for replica in replicas)
        upload_id = one.StartUpload(pb.StartUploadRequest(size_bytes=len(data))).upload.upload_id
        one.WriteUpload(chunks(upload_id, data, 0, 2 * MIB))
        replicas[0].kill()
        assert two.GetUpload(pb.GetUploadRequest(upload_id=upload_id)).upload.committed_bytes == 2 * MIB
        two.WriteUpload(chunks(upload_id, data, 2 * MIB, len(data)))
        replicas[0] = StorageProcess({**settings, "data_dir": tmp_path / "another"})
        third = replicas[0].stub(Role.USER, "ann")
        finish = pb.FinishUploadRequest(upload_id=upload_id, sha256=hashlib.sha256(data).hexdigest())
        learnware_id = third.FinishUpload(finish).learnware.learnware_id
        assert download(two, learnware_id) == data
        admin = replicas[1].stub(Role.ADMIN, "root")
        assert list(admin.CheckIntegrity(pb.CheckIntegrityRequest(read_packages=True))) == []
    finally:
        for replica in replicas:
            replica.kill()


def test_the_client_uploads_through_a_load_balancer(tmp_path: Path, settings: dict[str, object]) -> None:
    replicas = [StorageProcess({**settings, "data_dir": tmp_path / name}) for name in ("one", "two")]
    try:
        stubs = [replica.stub(Role.USER, "ann") for replica in replicas]
        balanced = cast(StorageServiceStub, RoundRobin(stubs))
        for number in range(3):
            path = tmp_path / "package.zip"
            path.write_bytes(package(str(number), weights=bytes(range(256)) * (2 * MIB // 256)))
            sent = transfer.upload(balanced, path)
            finish = pb.FinishUploadRequest(upload_id=sent.upload_id, sha256=sent.sha256)
            learnware_id = balanced.FinishUpload(finish).learnware.learnware_id
            assert [download(stub, learnware_id) for stub in stubs] == [path.read_bytes()] * 2
    finally:
        for replica in replicas:
            replica.kill()
