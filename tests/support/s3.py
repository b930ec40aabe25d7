"""A real object store that speaks S3, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import hashlib
import io
import json
from pathlib import Path
import shutil
import socket
import subprocess
import sys
import time

from learndock.errors import Unavailable
from learndock.serving.s3 import Bucket
from services.storage.s3_blobs import S3Blobs

ACCESS_KEY, SECRET_KEY = "access-of-the-tests", "secret-of-the-tests"
_READY_SECONDS = 60
_FIRST = b"the first object"


class ObjectStore:
    """A SeaweedFS server on loopback; it may be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self._ports = free_ports(8)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Address of the S3 interface."""
        return f"127.0.0.1:{self._ports[0]}"

    def bucket(self, name: str, *, endpoint: str = "", timeout_seconds: float = 10.0) -> Bucket:
        """A bucket of the store, at another address where one is given."""
        return Bucket(
            endpoint or self.endpoint, name, ACCESS_KEY, SECRET_KEY, secure=False, timeout_seconds=timeout_seconds
        )

    def start(self) -> None:
        """Start, and wait until it takes objects, the first of which takes it seconds on a busy machine."""
        s3, master, volume, filer, *inner = self._ports
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("weed")), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                    f"-dir={self._folder / 'data'}", "-volume.max=32", "-master.volumeSizeLimitMB=256",
                    f"-master.port={master}", f"-master.port.grpc={inner[0]}",
                    f"-volume.port={volume}", f"-volume.port.grpc={inner[1]}",
                    "-filer", f"-filer.port={filer}", f"-filer.port.grpc={inner[2]}",
                    "-s3.port.iceberg=0", "-s3.port.lance=0",  # else on fixed ports, so that no second server starts
                    "-s3", f"-s3.port={s3}", f"-s3.port.grpc={inner[3]}", f"-s3.config={self._folder / 's3.json'}",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self._wait_ready()

    def stop(self) -> None:
        """End at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _wait_ready(self) -> None:
        until = time.monotonic() + _READY_SECONDS
        while True:
            try:
                _write_and_remove(S3Blobs(self.bucket("ready-now", timeout_seconds=_READY_SECONDS)))
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return


def _write_and_remove(blobs: S3Blobs) -> None:
    sha256 = hashlib.sha256(_FIRST).hexdigest()
    blobs.put(io.BytesIO(_FIRST), len(_FIRST), sha256)
    blobs.delete(sha256)


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A running object store; it and its data end with the block."""
    store = ObjectStore(folder)
    try:
        store.start()
        yield store
    finally:
        store.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
