"""A reuse service under test: real channels, a real storage service behind it, models that run in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
import hashlib
import json
from pathlib import Path
import threading
import zipfile

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from learndock.account import Role
from learndock.sandbox.faults import FaultKind, ModelFault
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import tensor_to_message
from services.reuse import wiring as reuse
from services.reuse.config import Settings
from tests.support.learnwares import Digits
from tests.support.serving import SERVICE_TOKEN, Served, serve

Rows = NDArray[np.float64]


class PlainModel:
    """A classifier of some digits in this process, which can be told to fail."""

    input_shape = (64,)

    def __init__(self, labels: tuple[int, ...], faults: dict[str, FaultKind], name: str) -> None:
        data = Digits.of(labels, half=0)
        self._model = LogisticRegression(max_iter=300).fit(data.X, data.y)
        self._faults, self.name = faults, name
        self.closed = False

    def predict(self, X: Rows, timeout: float | None = None) -> Rows:
        fault = self._faults.pop(self.name, None) if not self.closed else FaultKind.EXITED
        if fault:
            raise ModelFault(fault, f"{self.name} failed")
        probabilities = np.zeros((len(X), 10))
        probabilities[:, self._model.classes_] = self._model.predict_proba(X)
        return probabilities

    def close(self) -> None:
        self.closed = True


@dataclass
class PlainLauncher:
    """Opens packages of digits; what is in `faults` happens to a model once, what is in `broken` to every start."""

    faults: dict[str, FaultKind] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    opened: list[PlainModel] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def open(self, package: Path) -> PlainModel:
        self.gate.wait(60)
        with zipfile.ZipFile(package) as archive:
            name = json.loads(archive.read("semantic_specification.json"))["Name"]["Values"]
        if name in self.broken:
            raise ModelFault(FaultKind.RAISED, f"{name} cannot be loaded")
        labels = tuple(int(letter) for letter in name.removeprefix("digits_"))
        self.opened.append(PlainModel(labels, self.faults, name))
        return self.opened[-1]


@dataclass(frozen=True)
class Stored:
    """A storage service and the learnwares in it."""

    address: str
    low: str
    high: str
    private: str
    unverified: str


def enter(
    served: Served,
    package: Path,
    *,
    visibility: types_pb2.Visibility.ValueType = types_pb2.VISIBILITY_PUBLIC,
    verified: bool = True,
) -> str:
    """Upload a package as the user `owner` and let it pass validation; its id."""
    owner = StorageServiceStub(served.channel_as(Role.USER, "owner"))
    data = package.read_bytes()
    upload = owner.StartUpload(storage_pb.StartUploadRequest(size_bytes=len(data))).upload
    owner.WriteUpload(iter([storage_pb.WriteUploadRequest(upload_id=upload.upload_id, offset=0, data=data)]))
    version = owner.FinishUpload(
        storage_pb.FinishUploadRequest(
            upload_id=upload.upload_id, sha256=hashlib.sha256(data).hexdigest(), visibility=visibility
        )
    ).version
    if verified:
        service = StorageServiceStub(served.channel(SERVICE_TOKEN))
        for state in (types_pb2.VERSION_STATE_VALIDATING, types_pb2.VERSION_STATE_VERIFIED):
            service.RecordVerdict(
                storage_pb.RecordVerdictRequest(
                    learnware_id=version.learnware_id,
                    version=version.version,
                    state=state,
                    validation_id="validation",
                    fence=1,
                    format_class=types_pb2.FORMAT_CLASS_CODE,
                )
            )
    return version.learnware_id


@dataclass(frozen=True)
class Bench:
    """A reuse service under test."""

    served: Served
    stored: Stored
    launcher: PlainLauncher

    def stub(self, user_id: str = "user") -> ReuseServiceStub:
        return ReuseServiceStub(self.served.channel_as(Role.USER, user_id))

    def create(self, *learnware_ids: str, **request: object) -> pb.Reuser:
        members = [pb.ReuserMember(learnware_id=learnware_id) for learnware_id in learnware_ids]
        return self.stub().CreateReuser(pb.CreateReuserRequest(members=members, **request)).reuser

    def prepared(self, *learnware_ids: str, **request: object) -> pb.Reuser:
        return self.watch(self.create(*learnware_ids, **request).reuser_id)[-1]

    def watch(self, reuser_id: str) -> list[pb.Reuser]:
        return [answer.reuser for answer in self.stub().WatchReuser(pb.WatchReuserRequest(reuser_id=reuser_id))]

    def predict(self, reuser_id: str, rows: NDArray[np.generic], user_id: str = "user") -> pb.PredictResponse:
        return self.stub(user_id).Predict(pb.PredictRequest(reuser_id=reuser_id, rows=tensor_to_message(rows)))


@contextmanager
def reuse_service(folder: Path, stored: Stored, launcher: PlainLauncher, **settings: object) -> Iterator[Bench]:
    application = reuse.build(
        Settings(data_dir=folder, storage_address=stored.address, service_token=SERVICE_TOKEN, **settings),
        open_package=launcher.open,
    )
    with serve(application) as served:
        yield Bench(served, stored, launcher)
