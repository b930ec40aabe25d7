"""A client is killed in the middle of an upload, again and again; each goes on, one chunk back at most."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from pathlib import Path
import random

from learndock.account import Role
from learndock.calls import CallingChannel, open_channel
from learndock.client import transfer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from tests.support.patience import eventually
from tests.support.serving import Bearer
from tests.support.storage import MIB, download, package
from tests.support.storage_process import StorageProcess

UPLOADS = int(os.environ.get("LEARNDOCK_TEST_KILLED_CLIENTS", "10"))
CONTEXT = multiprocessing.get_context("forkserver")


def send(address: str, path: str, die_after: int) -> None:
    """Send a package as `learndock submit` does; die once so many bytes are handed to the connection."""

    def die(done: int, _total: int) -> None:
        if done >= die_after:
            os.kill(os.getpid(), 9)

    stub = StorageServiceStub(CallingChannel(open_channel(address), Bearer(f"{Role.USER.value}:ann")))
    transfer.upload(stub, Path(path), progress=die)


def run(address: str, path: Path, die_after: int) -> int | None:
    process = CONTEXT.Process(target=send, args=(address, str(path), die_after), daemon=True)
    process.start()
    process.join()
    return process.exitcode


def begun(stub: StorageServiceStub, path: Path) -> str:
    """The upload of a package that its sender has begun."""
    return next(transfer.uploads_of(stub, path))


def committed(stub: StorageServiceStub, upload_id: str) -> int:
    return int(stub.GetUpload(pb.GetUploadRequest(upload_id=upload_id)).upload.committed_bytes)


def test_killed_clients_go_on_and_complete(tmp_path: Path) -> None:
    chance = random.Random(2)
    service = StorageProcess({"data_dir": tmp_path / "storage", "sweep_seconds": 600.0})
    ann = service.stub(Role.USER, "ann")
    try:
        for number in range(UPLOADS):
            data = package(str(number), **{"weights.bin": chance.randbytes(8 * MIB)})
            path = tmp_path / "package.zip"
            path.write_bytes(data)
            sent = chance.randint(1, 7) * MIB
            assert run(service.address, path, sent) == -9
            upload_id = begun(ann, path)
            assert eventually(lambda: committed(ann, upload_id) >= sent - MIB)  # noqa: B023
            assert run(service.address, path, len(data) + 1) == 0
            sha256 = hashlib.sha256(data).hexdigest()
            assert transfer.upload(ann, path) == transfer.Sent(upload_id, sha256)
            request = pb.FinishUploadRequest(upload_id=upload_id, sha256=sha256)
            assert download(ann, ann.FinishUpload(request).learnware.learnware_id) == data
    finally:
        service.kill()
