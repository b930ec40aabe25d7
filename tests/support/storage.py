"""A storage service with its callers, and small packages for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import hashlib
import io
import json
from pathlib import Path
import zipfile

import numpy as np

from learndock.account import Role
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.semantic import semantic_json
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import semantic_to_message, tensor_to_message
from services.storage.config import Settings
from services.storage.wiring import build
from tests.support.serving import Served, serve

MIB = 2**20
SEMANTIC = SemanticSpecification(
    name="three columns",
    description="A toy.",
    data="Table",
    task="Regression",
    library="Others",
    scenarios=("Others",),
    input=FeatureSpace(3),
    output=FeatureSpace(1),
)
SPECIFICATION = {"z": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], "beta": [0.25, 0.75], "num_points": 100}


def package(note: str = "", **changes: bytes | None) -> bytes:
    files: Mapping[str, bytes | None] = {
        "learnware.yaml": b"{}",
        "__init__.py": f"# {note}\nraise SystemExit('not to be run')\n".encode(),
        "semantic_specification.json": semantic_json(SEMANTIC),
        "stat_spec.json": json.dumps(SPECIFICATION).encode(),
        **changes,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(name), data)  # of no time: the same bytes whenever it is made
    return buffer.getvalue()


class Storage:
    """A served storage service and its callers."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.folder = folder
        self.served = served
        self.ann = self.stub(Role.USER, "ann")
        self.bob = self.stub(Role.USER, "bob")
        self.admin = self.stub(Role.ADMIN, "root")
        self.service = self.stub(Role.SERVICE, "service")

    def stub(self, role: Role, user_id: str) -> StorageServiceStub:
        return StorageServiceStub(self.served.channel_as(role, user_id))

    def send(self, stub: StorageServiceStub, data: bytes, learnware_id: str = "") -> str:
        upload = stub.StartUpload(pb.StartUploadRequest(size_bytes=len(data), learnware_id=learnware_id)).upload
        chunks = (
            pb.WriteUploadRequest(upload_id=upload.upload_id, offset=at, data=data[at : at + MIB])
            for at in range(0, len(data), MIB)
        )
        assert stub.WriteUpload(chunks).upload.committed_bytes == len(data)
        return str(upload.upload_id)

    def submit(
        self,
        stub: StorageServiceStub,
        data: bytes,
        *,
        learnware_id: str = "",
        visibility: types_pb2.Visibility.ValueType = types_pb2.VISIBILITY_PUBLIC,
        semantic: SemanticSpecification | None = None,
        request_id: str = "",
    ) -> pb.FinishUploadResponse:
        request = pb.FinishUploadRequest(
            upload_id=self.send(stub, data, learnware_id),
            sha256=hashlib.sha256(data).hexdigest(),
            visibility=visibility,
            semantic_specification=semantic_to_message(semantic) if semantic else None,
            request_id=request_id,
        )
        return stub.FinishUpload(request)

    def verdict(
        self,
        learnware_id: str,
        state: types_pb2.VersionState.ValueType,
        *,
        version: int = 1,
        fence: int = 1,
        validation_id: str = "v1",
        outputs: np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None = None,
        reason: str = "",
    ) -> types_pb2.LearnwareVersion:
        request = pb.RecordVerdictRequest(
            learnware_id=learnware_id,
            version=version,
            state=state,
            validation_id=validation_id,
            fence=fence,
            reason=reason,
            atom_outputs=tensor_to_message(outputs) if outputs is not None else None,
        )
        return self.service.RecordVerdict(request).version

    def verified(self, data: bytes, **options: object) -> str:
        learnware_id = str(self.submit(self.ann, data, **options).learnware.learnware_id)  # type: ignore[arg-type]
        self.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED)
        return learnware_id

    def faults(self, *, read_packages: bool = True) -> list[pb.CheckIntegrityResponse]:
        return list(self.admin.CheckIntegrity(pb.CheckIntegrityRequest(read_packages=read_packages)))

    def files(self) -> list[Path]:
        return [
            path
            for folder in (self.folder / "packages", self.folder / "uploads")
            for path in folder.rglob("*")
            if path.is_file()
        ]


@contextmanager
def served_storage(folder: Path, **settings_: object) -> Iterator[Storage]:
    """Serve a storage service that keeps its data in a folder and takes packages of 8 MiB."""
    defaults: dict[str, object] = {"poll_seconds": 0.05, "max_package_bytes": 8 * MIB}
    settings = Settings(data_dir=folder, service_token="secret", **{**defaults, **settings_})
    with serve(build(settings)) as served:
        yield Storage(served, folder)


def get(stub: StorageServiceStub, learnware_id: str) -> types_pb2.Learnware:
    return stub.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id)).learnware


def ids(stub: StorageServiceStub, **query: object) -> list[str]:
    answer = stub.ListLearnwares(pb.ListLearnwaresRequest(**query))  # type: ignore[arg-type]
    found = [each.learnware_id for each in answer.learnwares]
    if not answer.next_page_token:
        assert answer.total_size >= len(found)
    return found


def download(stub: StorageServiceStub, learnware_id: str, offset: int = 0, version: int = 0) -> bytes:
    request = pb.DownloadPackageRequest(learnware_id=learnware_id, version=version, offset=offset)
    pieces = list(stub.DownloadPackage(request))
    assert pieces[0].HasField("version")
    assert not any(piece.HasField("version") for piece in pieces[1:])
    assert [piece.offset for piece in pieces] == [
        offset + sum(len(p.data) for p in pieces[:i]) for i in range(len(pieces))
    ]
    return b"".join(piece.data for piece in pieces)


def replayed(storage: Storage, count: int, after: int = 0) -> list[pb.WatchChangesResponse]:
    stream = storage.service.WatchChanges(pb.WatchChangesRequest(after_sequence=after))
    found = []
    for change in stream:
        if change.sequence:
            found.append(change)
        if len(found) == count:
            break
    stream.cancel()
    return found


def blob_path(data: bytes) -> Path:
    sha256 = hashlib.sha256(data).hexdigest()
    return Path(sha256[:2]) / sha256[2:4] / sha256
