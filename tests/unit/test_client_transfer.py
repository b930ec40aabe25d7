"""Uploads and downloads that break, go on, and end whole."""

from collections.abc import Iterator
import hashlib
from pathlib import Path
import threading

import grpc
import pytest

import learndock
from learndock.client.transfer import CHUNK_BYTES
from learndock.errors import (
    DataLoss,
    InvalidInput,
    LearndockError,
    NotFound,
    OutOfRange,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import storage_service_pb2_grpc, types_pb2
from tests.support.bare_server import bare_server, fail, registered

CONTENT = bytes(range(256)) * (4 * CHUNK_BYTES // 256) + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """Keeps uploads in memory and breaks streams as often as a test says."""

    def __init__(self) -> None:
        self.uploads: dict[str, bytearray] = {}
        self.sizes: dict[str, int] = {}
        self.by_request: dict[str, str] = {}
        self.received = 0
        self.breaks = 0
        self.chunks_before_break = 2
        self.room = len(CONTENT)
        self.refusal: LearndockError | None = None
        self.served = CONTENT
        self.offsets: list[int] = []
        self.digests: list[str] = []

    def StartUpload(self, request: pb.StartUploadRequest, context: grpc.ServicerContext) -> pb.StartUploadResponse:
        if self.refusal is not None:
            fail(context, self.refusal)
        upload_id = self.by_request.setdefault(request.request_id, f"u{len(self.by_request)}")
        if upload_id not in self.sizes:
            self.uploads[upload_id], self.sizes[upload_id] = bytearray(), request.size_bytes
        return pb.StartUploadResponse(upload=pb.Upload(upload_id=upload_id))

    def GetUpload(self, request: pb.GetUploadRequest, context: grpc.ServicerContext) -> pb.GetUploadResponse:
        if request.upload_id not in self.uploads:
            fail(context, NotFound(Reason.RESOURCE_UNKNOWN, "gone"))
        return pb.GetUploadResponse(upload=pb.Upload(committed_bytes=len(self.uploads[request.upload_id])))

    def WriteUpload(
        self, request_iterator: Iterator[pb.WriteUploadRequest], context: grpc.ServicerContext
    ) -> pb.WriteUploadResponse:
        upload_id = ""
        for number, request in enumerate(request_iterator):
            upload_id = upload_id or request.upload_id
            self.digests += [request.sha256] if request.sha256 else []
            self.received += len(request.data)
            if (self.breaks > 0 and number == self.chunks_before_break) or len(self.uploads[upload_id]) >= self.room:
                self.breaks -= 1
                fail(context, Unavailable(Reason.SERVICE_UNAVAILABLE, "broken"))
            if request.offset != len(self.uploads[upload_id]):
                fail(context, OutOfRange(Reason.OFFSET_MISMATCH, "elsewhere"))
            self.uploads[upload_id] += request.data
        return pb.WriteUploadResponse(upload=pb.Upload(committed_bytes=len(self.uploads[upload_id])))

    def FinishUpload(self, request: pb.FinishUploadRequest, context: grpc.ServicerContext) -> pb.FinishUploadResponse:
        content = bytes(self.uploads.pop(request.upload_id))
        assert hashlib.sha256(content).hexdigest() == request.sha256
        return pb.FinishUploadResponse(
            learnware=types_pb2.Learnware(learnware_id="00000001", current_version=version())
        )

    def GetVersion(self, request: pb.GetVersionRequest, context: grpc.ServicerContext) -> pb.GetVersionResponse:
        return pb.GetVersionResponse(version=version())

    def DownloadPackage(
        self, request: pb.DownloadPackageRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadPackageResponse]:
        self.offsets.append(request.offset)
        for number, start in enumerate(range(request.offset, len(self.served), CHUNK_BYTES)):
            if self.breaks and number == self.chunks_before_break:
                self.breaks -= 1
                fail(context, Unavailable(Reason.SERVICE_UNAVAILABLE, "broken"))
            yield pb.DownloadPackageResponse(offset=start, data=self.served[start : start + CHUNK_BYTES])


def version() -> types_pb2.LearnwareVersion:
    return types_pb2.LearnwareVersion(
        learnware_id="00000001",
        version=1,
        state=types_pb2.VERSION_STATE_VERIFIED,
        sha256=SHA256,
        size_bytes=len(CONTENT),
    )


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def dock(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[learndock.Dock]:
    monkeypatch.setattr("learndock.client.patience.time.sleep", lambda _seconds: None)
    register = registered(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, storage)
    with bare_server(register) as address, learndock.Dock(address, "x") as connected:
        yield connected


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "package.zip"
    path.write_bytes(CONTENT)
    return path


def test_an_upload_is_whole_and_tells_its_progress(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    told: list[tuple[int, int]] = []
    assert dock.submit(package, progress=lambda done, total: told.append((done, total))).learnware_id == "00000001"
    assert storage.received == len(CONTENT)
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_the_digest_is_told_once_it_is_known(
    dock: learndock.Dock, storage: Storage, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hashed = threading.Event(), threading.Event()

    def slowly(path: Path) -> str:
        begun.wait(10)
        hashed.set()
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def told(done: int, _total: int) -> None:
        if done == CHUNK_BYTES:
            begun.set()
            hashed.wait(10)
        elif done > CHUNK_BYTES:
            threading.Event().wait(0.05)

    monkeypatch.setattr("learndock.client.transfer.file_sha256", slowly)
    dock.submit(package, progress=told)
    assert storage.digests == [SHA256]


def test_packages_that_differ_are_different_uploads(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    storage.room = 2 * CHUNK_BYTES
    for content in (CONTENT, CONTENT[:-1] + b"!"):
        package.write_bytes(content)
        with pytest.raises(Unavailable):
            dock.submit(package)
    assert len(storage.by_request) == 2


def test_after_breaks_no_more_than_a_chunk_each_is_sent_again(
    dock: learndock.Dock, storage: Storage, package: Path
) -> None:
    storage.breaks = 2
    dock.submit(package)
    # What the server received and threw away: the chunk at which it broke off, each time.
    assert storage.received <= len(CONTENT) + 2 * CHUNK_BYTES


def test_another_process_goes_on_with_the_same_upload(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    storage.room = 2 * CHUNK_BYTES
    with pytest.raises(Unavailable):
        dock.submit(package)
    begun, storage.room, storage.received = dict(storage.by_request), len(CONTENT), 0
    dock.submit(package)
    assert storage.by_request == begun
    assert storage.received == len(CONTENT) - 2 * CHUNK_BYTES


def test_a_finished_upload_is_not_taken_for_a_new_one(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    dock.submit(package)
    dock.submit(package)
    assert len(storage.by_request) == 2
    assert storage.uploads == {}


def test_a_connection_that_moves_nothing_is_given_up(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    storage.breaks, storage.chunks_before_break = 10_000, 0
    with pytest.raises(Unavailable, match="broken"):
        dock.submit(package)


def test_an_empty_file_is_refused_here(dock: learndock.Dock, storage: Storage, tmp_path: Path) -> None:
    empty = tmp_path / "empty.zip"
    empty.touch()
    with pytest.raises(InvalidInput, match="empty"):
        dock.submit(empty)
    assert storage.by_request == {}


def test_a_download_goes_on_after_a_break(dock: learndock.Dock, storage: Storage, tmp_path: Path) -> None:
    storage.breaks = 1
    path = dock.download("00000001", tmp_path)
    assert path == tmp_path / "00000001-v1.zip"
    assert path.read_bytes() == CONTENT
    assert storage.offsets == [0, 2 * CHUNK_BYTES]
    assert list(tmp_path.iterdir()) == [path]


def test_a_download_goes_on_where_another_process_ended(dock: learndock.Dock, storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "wine.zip"
    (tmp_path / f".wine.zip.{SHA256[:12]}.part").write_bytes(CONTENT[:1000])
    assert dock.download("00000001", target).read_bytes() == CONTENT
    assert storage.offsets == [1000]


def test_a_download_takes_the_place_of_another_file(dock: learndock.Dock, tmp_path: Path) -> None:
    target = tmp_path / "wine.zip"
    target.write_bytes(b"another")
    assert dock.download("00000001", target).read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_damaged_bytes_leave_no_file(dock: learndock.Dock, storage: Storage, tmp_path: Path) -> None:
    storage.served = b"x" + CONTENT[1:]
    with pytest.raises(DataLoss) as caught:
        dock.download("00000001", tmp_path / "wine.zip")
    assert caught.value.reason is Reason.HASH_MISMATCH
    assert list(tmp_path.iterdir()) == []


def test_a_refused_upload_is_not_tried_again(dock: learndock.Dock, storage: Storage, package: Path) -> None:
    storage.refusal = ResourceExhausted(Reason.PACKAGE_TOO_LARGE, "too large")
    with pytest.raises(ResourceExhausted, match="too large"):
        dock.submit(package)
