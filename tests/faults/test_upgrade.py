"""An upgrade: callers of the last release and of this one work on while every replica is replaced in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
import subprocess
import sys
import threading

import grpc
import pytest

from learndock.account import Role
from learndock.calls import CallingChannel, open_channel
from learndock.errors import LearndockError
from learndock.serving import server
from learndock.serving.application import Application
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from services.storage.config import Settings
from services.storage.wiring import build
from tests.support.last_release import RELEASE, OldCaller
from tests.support.serving import Bearer, RoleTokens, Served
from tests.support.storage import Storage, package
from tools import stubs

BUF = Path(sys.executable).with_name("buf")
ROUNDS = 2


def test_nothing_breaks_callers_of_the_last_release() -> None:
    command = [BUF, "breaking", stubs.PROTOS, "--against", RELEASE]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


class Replicas:
    """Two servers of one storage service, replaced in turn at their addresses."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._running = [self._start("127.0.0.1:0") for _ in range(2)]

    @property
    def target(self) -> str:
        """What a client that balances is given."""
        return ",".join(each.address for each in self._running)

    def replace(self) -> None:
        """Stop each and start it again, one after the other."""
        for number, each in enumerate(self._running):
            each.drain()
            each.stop(30.0)
            self._running[number] = self._start(each.address)

    def stop(self) -> None:
        """End both."""
        for each in self._running:
            each.stop(1.0)

    def _start(self, listen: str) -> server.RunningServer:
        return server.start([self._application], listen=listen, authenticator=RoleTokens())


@pytest.fixture
def replicas(tmp_path: Path) -> Replicas:
    return Replicas(build(Settings(data_dir=tmp_path, service_token="secret", poll_seconds=0.05)))


def test_no_call_of_either_version_fails_while_replicas_are_replaced(replicas: Replicas) -> None:
    told: Counter[str] = Counter()
    done = threading.Event()

    def again_and_again(name: str, call: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            while not done.is_set():
                try:
                    call()
                except (grpc.RpcError, LearndockError) as error:
                    told[f"{name}: {error!r}"] += 1
                else:
                    told[name] += 1

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with open_channel(replicas.target) as channel:
        storage = Storage(Served(replicas.target, channel), Path())
        learnware_id = storage.submit(storage.ann, package("upgraded")).learnware.learnware_id
        storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED)
        old = OldCaller(channel, f"{Role.USER.value}:ann")
        new = StorageServiceStub(CallingChannel(channel, Bearer(f"{Role.USER.value}:ann")))
        calls = {
            "old list": lambda: old.method("StorageService", "ListLearnwares")(page_size=10),
            "old get": lambda: old.method("StorageService", "GetLearnware")(learnware_id=learnware_id),
            "new list": lambda: new.ListLearnwares(pb.ListLearnwaresRequest()),
            "new get": lambda: new.GetSpecification(pb.GetSpecificationRequest(learnware_id=learnware_id)),
        }
        threads = [again_and_again(name, call) for name, call in calls.items()]
        for _ in range(ROUNDS):
            replicas.replace()
        done.set()
        for thread in threads:
            thread.join(60)
        answer = old.method("StorageService", "GetLearnware")(learnware_id=learnware_id)
    replicas.stop()
    assert set(told) == set(calls)
    assert answer.learnware.learnware_id == learnware_id
    assert answer.learnware.current_version.version == 1
