"""Transfers of one package through the service, against a bare S3 client on the same object store, in turns."""

from __future__ import annotations

from collections.abc import Callable
import hashlib
import os
from pathlib import Path
import statistics
import time
import zipfile

from minio import Minio

from benchmarks.grpc_stream import bare_streams
from learndock.account import Role
from learndock.client import transfer
from learndock.learnware import LearnwareVersion
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import version_from_message
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore
from tests.support.storage import package
from tests.support.storage_process import StorageProcess

MIB = 2**20


def transfer_figures(folder: Path, store: ObjectStore, mib: int, rounds: int) -> dict[str, object]:
    """Medians in MiB/s, and the ratios of those through the service to those of the bare client."""
    bare = Minio(store.endpoint, ACCESS_KEY, SECRET_KEY, secure=False)
    bare.make_bucket("bare")
    service = StorageProcess(
        {
            "data_dir": folder / "transfer",
            "s3_endpoint": store.endpoint,
            "s3_bucket": "packages",
            "s3_access_key": ACCESS_KEY,
            "s3_secret_key": SECRET_KEY,
            "s3_secure": False,
        }
    )
    seconds: dict[str, list[float]] = {}
    try:
        for number in range(rounds):
            path = large_package(folder / "large.zip", mib, number)
            acts = _transfers(service.stub(Role.USER, "ann"), bare, path)
            for name, act in acts[:2] if number % 2 else acts[1::-1]:
                seconds.setdefault(name, []).append(timed(act))
            # Whoever writes a file first after the uploads pays for new pages of memory, up to half a second; the
            # others write into those that were freed. So the first is none of those that are timed. None of them
            # writes over a file of its name, which ext4 would put on the disk before it takes that file's place.
            got = path.with_name("got.zip")
            bare.fget_object("bare", "object", str(got))
            for name, act in acts[2:] if number % 2 else acts[:1:-1]:
                got.unlink()
                seconds.setdefault(name, []).append(timed(act))
            bare.remove_object("bare", "object")
        with bare_streams() as streams:
            for _ in range(rounds):
                seconds.setdefault("bare_grpc_upload", []).append(timed(lambda: streams.upload(mib)))
                seconds.setdefault("bare_grpc_download", []).append(timed(lambda: streams.download(mib)))
    finally:
        service.kill()
    speeds = {name: mib / statistics.median(each) for name, each in seconds.items()}
    return {
        "upload_ratio": speeds["upload"] / speeds["bare_upload"],
        "download_ratio": speeds["download"] / speeds["bare_download"],
        "signed_download_ratio": speeds["signed_download"] / speeds["bare_download"],
        "mib_per_second": speeds,
    }


Transfer = tuple[str, Callable[[], object]]


def _transfers(ann: StorageServiceStub, bare: Minio, path: Path) -> list[Transfer]:
    got = path.with_name("got.zip")
    return [
        ("bare_upload", lambda: bare.fput_object("bare", "object", str(path))),
        ("upload", lambda: submit(ann, path)),
        ("bare_download", lambda: bare.fget_object("bare", "object", str(got))),
        ("download", lambda: transfer.download(ann, newest(ann), got, through_dock=True)),
        ("signed_download", lambda: transfer.download(ann, newest(ann), got)),  # what the client does by itself
    ]


def submit(stub: StorageServiceStub, path: Path) -> None:
    """Upload and finish, as the client does."""
    sent = transfer.upload(stub, path)
    stub.FinishUpload(pb.FinishUploadRequest(upload_id=sent.upload_id, sha256=sent.sha256), timeout=600)


def newest(stub: StorageServiceStub) -> LearnwareVersion:
    """The last version that was entered."""
    request = pb.ListLearnwaresRequest(page_size=1, order_by="id desc")
    return version_from_message(stub.ListLearnwares(request).learnwares[0].current_version)


def large_package(path: Path, mib: int, seed: int) -> Path:
    """A package with so much that cannot be compressed."""
    path.write_bytes(package(f"large {seed}"))
    piece = hashlib.shake_256(str(seed).encode()).digest(MIB)
    with zipfile.ZipFile(path, "a") as archive, archive.open("weights.bin", "w", force_zip64=True) as file:
        for number in range(mib):
            file.write(number.to_bytes(8) + piece[8:])
    return path


def timed(act: Callable[[], object]) -> float:
    """Seconds that something takes, once nothing is left to be written from before."""
    os.sync()
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
