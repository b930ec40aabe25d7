"""How quick storage is: transfers against a bare S3 client, small packages, lists at 100,000 learnwares, memory.

``make bench-storage`` writes ``benchmarks/results/storage.json``. Both transfers go to one object store in one run, in
turns; the figure is the ratio of the medians.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
import hashlib
import json
import os
from pathlib import Path
import statistics
import tempfile
import time
import zipfile

from minio import Minio

from benchmarks.storage_lists import list_milliseconds
from learndock.account import Role
from learndock.client import transfer
from learndock.learnware import LearnwareVersion
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import version_from_message
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, object_store
from tests.support.storage import package
from tests.support.storage_process import StorageProcess

MIB = 2**20


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where to write the figures")
    parser.add_argument("--transfer-mib", type=int, default=256, help="size of a transferred package")
    parser.add_argument("--large-mib", type=int, default=2000, help="size of the upload whose memory is measured")
    parser.add_argument("--small", type=int, default=500, help="number of small packages")
    parser.add_argument("--learnwares", type=int, default=100_000, help="number of learnwares to list")
    parser.add_argument("--rounds", type=int, default=3, help="transfers of each kind")
    options = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, object_store(Path(folder) / "s3") as store:
        figures |= transfer_figures(Path(folder), store, options.transfer_mib, options.rounds)
        figures |= large_figures(Path(folder), options.large_mib)
        figures |= small_figures(Path(folder), options.small)
        figures |= list_milliseconds(Path(folder), options.learnwares)
    figures["settings"] = {name: value for name, value in vars(options).items() if name != "json"}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


def transfer_figures(folder: Path, store: ObjectStore, mib: int, rounds: int) -> dict[str, object]:
    """MB/s through the service and of the bare client, and their ratios."""
    bare = Minio(store.endpoint, ACCESS_KEY, SECRET_KEY, secure=False)
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
    ann = service.stub(Role.USER, "ann")
    seconds: dict[str, list[float]] = {"upload": [], "bare_upload": [], "download": [], "bare_download": []}
    try:
        bare.make_bucket("bare")
        for number in range(rounds):
            path = large_package(folder / "large.zip", mib, number)
            name = f"object-{number}"
            seconds["bare_upload"].append(timed(lambda: bare.fput_object("bare", name, str(path))))  # noqa: B023
            seconds["upload"].append(timed(lambda: submit(ann, path)))  # noqa: B023
            version = version_from_message(newest(ann))
            seconds["bare_download"].append(timed(lambda: bare.fget_object("bare", name, str(folder / "got"))))  # noqa: B023
            seconds["download"].append(timed(lambda: through_dock(ann, version, folder / "got.zip")))  # noqa: B023
    finally:
        service.kill()
    speeds = {name: mib / statistics.median(each) for name, each in seconds.items()}
    return {
        "upload_ratio": speeds["upload"] / speeds["bare_upload"],
        "download_ratio": speeds["download"] / speeds["bare_download"],
        "mib_per_second": speeds,
    }


def large_figures(folder: Path, mib: int) -> dict[str, object]:
    """Growth of the service's largest memory during one large upload."""
    service = StorageProcess({"data_dir": folder / "large"})
    ann = service.stub(Role.USER, "ann")
    try:
        submit(ann, small_file(folder, "warm"))
        idle = peak_rss_mib(service.pid)
        submit(ann, large_package(folder / "large.zip", mib, 99))
        return {"upload_rss_growth_mb": peak_rss_mib(service.pid) - idle, "idle_rss_mb": idle}
    finally:
        service.kill()


def small_figures(folder: Path, count: int) -> dict[str, object]:
    """Small packages that one client submits in a minute."""
    service = StorageProcess({"data_dir": folder / "small"})
    ann = service.stub(Role.USER, "ann")
    try:
        paths = [small_file(folder, str(number)) for number in range(count + 1)]
        submit(ann, paths[0])
        seconds = timed(lambda: [submit(ann, path) for path in paths[1:]])
    finally:
        service.kill()
    return {"small_packages_per_minute": 60 * count / seconds}


def submit(stub: StorageServiceStub, path: Path) -> None:
    """Upload and finish, as the client does."""
    sha256 = transfer.file_sha256(path)
    upload_id = transfer.upload(stub, path, sha256=sha256)
    stub.FinishUpload(pb.FinishUploadRequest(upload_id=upload_id, sha256=sha256), timeout=600)


def through_dock(stub: StorageServiceStub, version: LearnwareVersion, path: Path) -> None:
    """Download through gRPC, where the client would go straight to the object store."""
    transfer.download(stub, version, path, through_dock=True)


def newest(stub: StorageServiceStub) -> object:
    """The last version that was entered."""
    request = pb.ListLearnwaresRequest(page_size=1, order_by="id desc")
    return stub.ListLearnwares(request).learnwares[0].current_version


def large_package(path: Path, mib: int, seed: int) -> Path:
    """A package with so much that cannot be compressed."""
    path.write_bytes(package(f"large {seed}"))
    piece = hashlib.shake_256(str(seed).encode()).digest(MIB)
    with zipfile.ZipFile(path, "a") as archive, archive.open("weights.bin", "w", force_zip64=True) as file:
        for number in range(mib):
            file.write(number.to_bytes(8) + piece[8:])
    return path


def small_file(folder: Path, note: str) -> Path:
    """A package of about a kilobyte."""
    path = folder / f"small-{note}.zip"
    path.write_bytes(package(note))
    return path


def timed(act: Callable[[], object]) -> float:
    """Seconds that something takes."""
    os.sync()
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def peak_rss_mib(pid: int) -> float:
    """Largest resident memory of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
