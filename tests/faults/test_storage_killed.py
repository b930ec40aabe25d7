"""The service dies at every named point while clients work; nothing acknowledged is lost, and all invariants hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
import hashlib
import os
from pathlib import Path
import random
import re
from uuid import UUID

import pytest

from learndock.account import Role
from learndock.errors import DeadlineExceeded, NotFound, Unavailable
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
import services.storage
from tests.support.patience import patiently
from tests.support.storage import download, package
from tests.support.storage_process import StorageProcess

CLIENTS = 8
ROUNDS = int(os.environ.get("LEARNDOCK_TEST_KILL_ROUNDS", "50"))
SEED = int(os.environ.get("LEARNDOCK_TEST_KILL_SEED", "1"))
PER_TEST = 10
BROKEN = (Unavailable, DeadlineExceeded)
SOURCES = Path(services.storage.__file__).parent.glob("*.py")
POINTS = sorted({name for path in SOURCES for name in re.findall(r'faults\.reach\("([a-z._]+)"\)', path.read_text())})


@dataclass
class Client:
    """One user: what was acknowledged to them, and the call of which they do not know whether it had its effect."""

    name: str
    random: random.Random
    kept: dict[str, bytes] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    doubtful: tuple[str, ...] = ()
    packed: int = 0

    def work(self, stub: StorageServiceStub) -> None:
        """Do this and that until the service is gone."""
        try:
            for _ in range(self.random.randint(2, 4)):
                self.act(stub)
        except BROKEN:
            return

    def act(self, stub: StorageServiceStub) -> None:
        if self.doubtful:
            self.settle(stub)
        elif self.kept and self.random.random() < 0.6:
            learnware_id = self.random.choice(sorted(self.kept))
            self.doubtful = (self.random.choice(("update", "delete")), learnware_id, self.token())
        else:
            self.packed += 1
            self.doubtful = ("submit", f"{self.name} {self.packed}", self.token())
        if self.doubtful:
            self.settle(stub)

    def settle(self, stub: StorageServiceStub) -> None:
        """Make a call, or make it again: it has one effect."""
        kind, subject, token = self.doubtful
        {"submit": self.submit, "update": self.update, "delete": self.delete}[kind](stub, subject, token)
        self.doubtful = ()

    def submit(self, stub: StorageServiceStub, note: str, token: str) -> None:
        data = package(note)
        begun = stub.StartUpload(pb.StartUploadRequest(size_bytes=len(data), request_id=token)).upload
        finish = pb.FinishUploadRequest(
            upload_id=begun.upload_id, sha256=hashlib.sha256(data).hexdigest(), request_id=token + "f"
        )
        try:
            committed = stub.GetUpload(pb.GetUploadRequest(upload_id=begun.upload_id)).upload.committed_bytes
            half = len(data) // 2
            chunks = [
                pb.WriteUploadRequest(upload_id=begun.upload_id, offset=at, data=data[at:to])
                for at, to in ((committed, max(half, committed)), (max(half, committed), len(data)))
                if to > at
            ]
            if chunks:
                stub.WriteUpload(iter(chunks))
        except NotFound:  # it was finished, and the answer was lost
            pass
        self.kept[stub.FinishUpload(finish).learnware.learnware_id] = data

    def update(self, stub: StorageServiceStub, learnware_id: str, token: str) -> None:
        learnware = stub.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id)).learnware
        learnware.semantic_specification.description = token
        request = pb.UpdateLearnwareRequest(learnware=learnware)
        request.update_mask.paths.append("semantic_specification")
        stub.UpdateLearnware(request)
        self.described[learnware_id] = token

    def delete(self, stub: StorageServiceStub, learnware_id: str, token: str) -> None:
        stub.DeleteLearnware(pb.DeleteLearnwareRequest(learnware_id=learnware_id, request_id=token))
        self.kept.pop(learnware_id)
        self.deleted.add(learnware_id)

    def token(self) -> str:
        return UUID(int=self.random.getrandbits(128)).hex

    def check(self, stub: StorageServiceStub) -> None:
        """Everything that was acknowledged is there, once."""
        assert not self.doubtful
        shown = {
            learnware.learnware_id: learnware.semantic_specification.description
            for learnware in stub.ListLearnwares(
                pb.ListLearnwaresRequest(page_size=1000, filter=f'owner = "{self.name}"')
            ).learnwares
        }
        assert set(shown) == set(self.kept)
        assert {each: shown[each] for each in self.described if each in shown} == {
            each: text for each, text in self.described.items() if each in shown
        }
        for learnware_id, data in list(self.kept.items())[-3:]:
            assert download(stub, learnware_id) == data


def settings(folder: Path) -> dict[str, object]:
    """Everything that is tidied up is tidied up within seconds."""
    return {
        "data_dir": folder,
        "poll_seconds": 0.05,
        "sweep_seconds": 0.2,
        "undelete_days": 0.5 / 86400,
        "orphan_hours": 3 / 3600,
        "upload_hours": 1.0,
        "max_open_uploads": 1000,
    }


def run_round(folder: Path, clients: list[Client], point: str, after: int) -> bool:
    """Whether the service died at the point."""
    service = StorageProcess(settings(folder), point=point, after=after)
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client: client.work(service.stub(Role.USER, client.name)), clients))
        died = service.wait(0.5)
    finally:
        service.kill()
    again = StorageProcess(settings(folder))
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client: settle_and_check(again, client), clients))
        assert_invariants(again.stub(Role.ADMIN, "root"), again.stub(Role.SERVICE, "service"))
    finally:
        again.kill()
    return died


def settle_and_check(service: StorageProcess, client: Client) -> None:
    stub = service.stub(Role.USER, client.name)
    if client.doubtful:
        patiently(lambda: client.settle(stub))  # a package may be collected just before its slow submission ends
    client.check(stub)


def assert_invariants(admin: StorageServiceStub, service: StorageServiceStub) -> None:
    faults = admin.CheckIntegrity(pb.CheckIntegrityRequest(read_packages=True))
    # An orphan is removed in the next round of tidying up: it is no fault until that had its chance.
    assert [fault for fault in faults if fault.invariant != "I2"] == []


@pytest.fixture(scope="module")
def reached() -> set[str]:
    return set()


@pytest.mark.parametrize("batch", range((ROUNDS + PER_TEST - 1) // PER_TEST))
def test_nothing_acknowledged_is_lost(tmp_path: Path, batch: int, reached: set[str]) -> None:
    chance = random.Random(1000 * SEED + batch)
    clients = [Client(f"user{number}", random.Random(chance.random())) for number in range(CLIENTS)]
    for number in range(batch * PER_TEST, min((batch + 1) * PER_TEST, ROUNDS)):
        point = POINTS[number % len(POINTS)]
        if run_round(tmp_path, clients, point, after=chance.choice((0, 0, 1, 3))):
            reached.add(point)


def test_every_point_was_reached(reached: set[str]) -> None:
    if len(POINTS) * 2 <= ROUNDS:
        assert reached == set(POINTS)
