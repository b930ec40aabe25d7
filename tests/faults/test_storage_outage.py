"""The object store is gone for a while, with users at work: they are told when to come again, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
import hashlib
import os
from pathlib import Path
import random
import threading
import time

import pytest

from learndock.account import Role
from learndock.client import transfer
from learndock.client.dock import Dock
from learndock.errors import DataLoss, Unavailable
from learndock.v1 import search_service_pb2 as search_pb
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import version_from_message
from services.search import wiring as search
from services.search.config import Settings as SearchSettings
from tests.support.patience import eventually, patiently
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, object_store
from tests.support.serving import SERVICE_TOKEN, serve
from tests.support.storage import MIB, Storage, download, get, ids, package, served_storage
from tests.support.tcp_proxy import tcp_proxy

OUTAGE_SECONDS = float(os.environ.get("LEARNDOCK_TEST_OUTAGE_SECONDS", "5"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def storage(server: ObjectStore, tmp_path: Path) -> Iterator[Storage]:
    with served(server.endpoint, tmp_path / "dock") as made:
        yield made


def served(endpoint: str, folder: Path, timeout_seconds: float = 10.0) -> AbstractContextManager[Storage]:
    return served_storage(
        folder,
        s3_endpoint=endpoint,
        s3_bucket="packages",
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        s3_secure=False,
        s3_timeout_seconds=timeout_seconds,
    )


@dataclass
class User:
    """Somebody who goes on for as long as the store is away."""

    act: Callable[[], object]
    refused: list[Unavailable] = field(default_factory=list)
    answered: int = 0
    longest: float = 0.0

    def work(self, over: threading.Event) -> None:
        while not over.is_set():
            begun = time.monotonic()
            try:
                self.act()
                self.answered += 1
            except Unavailable as error:
                self.refused.append(error)
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.05)


def test_users_are_told_when_to_come_again_and_find_everything_after_the_outage(
    storage: Storage, server: ObjectStore, tmp_path: Path
) -> None:
    kept, data = storage.verified(package("kept")), package("sent meanwhile")
    upload_id = storage.send(storage.bob, data)
    sha256 = hashlib.sha256(data).hexdigest()
    settings = SearchSettings(
        data_dir=tmp_path / "search", storage_address=storage.served.address, service_token=SERVICE_TOKEN
    )
    with serve(search.build(settings)) as searching:
        finder = SearchServiceStub(searching.channel_as(Role.USER, "cid"))
        specification = storage.ann.GetSpecification(pb.GetSpecificationRequest(learnware_id=kept)).specification

        def find() -> list[str]:
            answer = finder.Search(search_pb.SearchRequest(specification=specification))
            return [single.learnware_id for single in answer.singles]

        assert eventually(lambda: find() == [kept])
        reader = User(lambda: download(storage.ann, kept))
        sender = User(lambda: storage.bob.FinishUpload(pb.FinishUploadRequest(upload_id=upload_id, sha256=sha256)))
        lister, seeker = User(lambda: ids(storage.ann)), User(find)
        away(server, [reader, sender, lister, seeker])

    for user in (reader, sender):
        assert user.answered == 0
        assert user.refused
        assert all(error.retry_after for error in user.refused)
    for user in (lister, seeker):
        assert user.answered
        assert not user.refused
    print(f"longest refusal: {max(reader.longest, sender.longest):.2f} s")

    assert patiently(lambda: download(storage.ann, kept)) == package("kept")
    finished = patiently(lambda: storage.bob.FinishUpload(pb.FinishUploadRequest(upload_id=upload_id, sha256=sha256)))
    assert download(storage.bob, finished.learnware.learnware_id) == data
    assert storage.faults() == []


def away(server: ObjectStore, users: list[User]) -> None:
    """Stop the store, let users work for the length of the outage, and start it again."""
    over = threading.Event()
    server.stop()
    with ThreadPoolExecutor(len(users)) as pool:
        working = [pool.submit(user.work, over) for user in users]
        time.sleep(OUTAGE_SECONDS)
        over.set()
        for each in working:
            each.result()
    server.start()


def test_a_submission_that_the_outage_interrupts_is_repeated_and_sends_nothing_twice(
    storage: Storage, server: ObjectStore, tmp_path: Path
) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(package("interrupted", **{"weights.bin": random.Random(1).randbytes(3 * MIB)}))
    sent: list[int] = []
    with Dock({"storage": storage.served.address}, "USER:ann") as dock:
        server.stop()
        with pytest.raises(Unavailable):
            dock.submit(path, progress=lambda done, _: sent.append(done))
        server.start()
        assert sent[0] == 0
        again: list[int] = []
        learnware = patiently(lambda: dock.submit(path, progress=lambda done, _: again.append(done)))
        assert set(again) == {path.stat().st_size}, "all of it was there already"
        assert dock.download(learnware.learnware_id, tmp_path / "got.zip").read_bytes() == path.read_bytes()


def test_a_slow_store_gives_right_bytes_or_says_that_it_is_away(server: ObjectStore, tmp_path: Path) -> None:
    data = package("slow", **{"weights.bin": random.Random(2).randbytes(MIB)})
    with tcp_proxy(server.endpoint) as proxy, served(proxy.address, tmp_path / "dock") as storage:
        learnware_id = storage.verified(data)
        version = version_from_message(get(storage.ann, learnware_id).current_version)

        def slowly(piece: bytes) -> bytes:
            time.sleep(0.1)
            return piece

        proxy.change = slowly
        got = patiently(lambda: transfer.download(storage.ann, version, tmp_path / "got.zip"))
        assert got.read_bytes() == data


def test_a_third_of_the_answers_are_errors_or_cut_off_and_no_byte_is_wrong(server: ObjectStore, tmp_path: Path) -> None:
    chance = random.Random(3)
    broken = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def fail(piece: bytes) -> bytes:
        if chance.random() < 0.7:
            return piece
        return broken if piece.startswith(b"HTTP/1.1") else piece[: len(piece) // 2]

    with tcp_proxy(server.endpoint) as proxy, served(proxy.address, tmp_path / "dock", 1.0) as storage:
        for number in range(4):
            data = package(f"error {number}", **{"weights.bin": chance.randbytes(MIB // 4)})
            proxy.change = fail
            learnware_id = patiently(lambda: storage.submit(storage.ann, data)).learnware.learnware_id  # noqa: B023
            got: list[bytes] = []
            for _ in range(5):
                try:
                    got.append(download(storage.ann, learnware_id))
                except (Unavailable, DataLoss):
                    continue
            assert all(each == data for each in got)
            proxy.change = lambda piece: piece
            assert patiently(lambda: download(storage.ann, learnware_id)) == data  # noqa: B023
        assert patiently(storage.faults) == []
