"""A storage service, and validators that follow it, on real channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import hashlib
from pathlib import Path

import pytest

from learndock.account import Role
from learndock.errors import LearndockError
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from services.validator import wiring as validator
from services.validator.config import Settings
from tests.support.serving import SERVICE_TOKEN, Served, serve

PATIENCE = 120.0


@dataclass(frozen=True)
class Dock:
    """A storage service, and where a validator that follows it keeps its data."""

    storage: Served
    folder: Path
    environments: Path

    def settings(self, **changes: object) -> Settings:
        values: dict[str, object] = {
            "data_dir": self.folder / "validator",
            "environments_dir": self.environments,
            "storage_address": self.storage.address,
            "service_token": SERVICE_TOKEN,
            "executor": "bubblewrap",
            "memory_mib": 256,
            "sandbox_seconds": 60.0,
            "predict_seconds": 20.0,
            "lease_seconds": 3.0,
            "retry_seconds": 0.1,
            **changes,
        }
        return Settings(**values)  # type: ignore[arg-type]

    @contextmanager
    def validator(self, *, workers: bool = True, **changes: object) -> Iterator[Served]:
        with serve(validator.build(self.settings(**changes)), workers=workers) as served:
            yield served

    def submit(self, package: Path, *, user_id: str = "owner", private: bool = False) -> str:
        owner = StorageServiceStub(self.storage.channel_as(Role.USER, user_id))
        data = package.read_bytes()
        upload = owner.StartUpload(storage_pb.StartUploadRequest(size_bytes=len(data))).upload
        owner.WriteUpload(iter([storage_pb.WriteUploadRequest(upload_id=upload.upload_id, offset=0, data=data)]))
        finished = owner.FinishUpload(
            storage_pb.FinishUploadRequest(
                upload_id=upload.upload_id,
                sha256=hashlib.sha256(data).hexdigest(),
                visibility=types_pb2.VISIBILITY_PRIVATE if private else types_pb2.VISIBILITY_PUBLIC,
            )
        )
        return finished.version.learnware_id

    def version(self, learnware_id: str) -> types_pb2.LearnwareVersion:
        owner = StorageServiceStub(self.storage.channel_as(Role.ADMIN))
        return owner.GetVersion(storage_pb.GetVersionRequest(learnware_id=learnware_id)).version


def stub(served: Served, role: Role = Role.USER, user_id: str = "owner") -> ValidatorServiceStub:
    return ValidatorServiceStub(served.channel_as(role, user_id))


def watched(caller: ValidatorServiceStub, learnware_id: str) -> list[pb.Validation]:
    request = pb.WatchValidationRequest(learnware_id=learnware_id)
    return [answer.validation for answer in caller.WatchValidation(request, timeout=PATIENCE)]


def running(caller: ValidatorServiceStub, learnware_id: str, phase: str = "") -> pb.Validation:
    """The validation once a worker is at it, and at `phase` if that is told."""
    request = pb.WatchValidationRequest(learnware_id=learnware_id)
    for answer in caller.WatchValidation(request, timeout=PATIENCE):
        found = answer.validation
        if found.state == pb.VALIDATION_STATE_RUNNING and phase in ("", found.phase):
            return found
    raise AssertionError("it ended before")


def refusal(call: object, *arguments: object) -> LearndockError:
    with pytest.raises(LearndockError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


@contextmanager
def storing(folder: Path, environments: Path) -> Iterator[Dock]:
    """A dock whose storage service keeps its data in `folder`."""
    settings = StorageSettings(data_dir=folder / "storage", service_token=SERVICE_TOKEN)
    with serve(storage.build(settings)) as stored:
        yield Dock(stored, folder, environments)
