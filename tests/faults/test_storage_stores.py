"""The object store or the database fails; callers hear UNAVAILABLE or DATA_LOSS, and never get a wrong byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
import random
import threading

import pytest
from sqlalchemy import text

from learndock import errors
from learndock.account import Role
from learndock.client import transfer
from learndock.serving.sql import Database, migrate
from learndock.v1 import search_service_pb2 as search_pb
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.wire import version_from_message
from services.search import wiring as search
from services.search.config import Settings as SearchSettings
from services.storage.wiring import MIGRATIONS
from tests.support.databases import DATABASES
from tests.support.patience import patiently
from tests.support.postgres import postgres_server, replica_of
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, object_store
from tests.support.serving import SERVICE_TOKEN, serve
from tests.support.storage import MIB, Storage, download, get, ids, package, served_storage
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

LARGE = {"weights.bin": random.Random(1).randbytes(3 * MIB)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def proxy(server: ObjectStore) -> Iterator[TcpProxy]:
    with tcp_proxy(server.endpoint) as made:
        yield made


@pytest.fixture
def storage(proxy: TcpProxy, tmp_path: Path) -> Iterator[Storage]:
    with served(proxy, tmp_path) as made:
        yield made


def served(proxy: TcpProxy, folder: Path, **settings: object) -> AbstractContextManager[Storage]:
    return served_storage(
        folder,
        s3_endpoint=proxy.address,
        s3_bucket="packages",
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        s3_secure=False,
        **settings,
    )


def test_an_object_store_that_is_gone_is_unavailable_and_nothing_is_lost(storage: Storage, proxy: TcpProxy) -> None:
    learnware_id = storage.verified(package("kept"))
    proxy.refuses = lambda: True
    proxy.cut()
    with pytest.raises(errors.Unavailable) as caught:
        download(storage.ann, learnware_id)
    assert caught.value.retry_after
    data = package("sent while it is gone")
    with pytest.raises(errors.Unavailable) as refused:
        storage.submit(storage.ann, data)
    assert refused.value.retry_after
    assert ids(storage.ann) == [learnware_id], "the catalogue is unaffected"
    proxy.refuses = lambda: False
    assert download(storage.ann, learnware_id) == package("kept")
    assert download(storage.ann, storage.verified(data)) == data


def test_searches_are_unaffected_while_the_object_store_is_gone(
    storage: Storage, proxy: TcpProxy, tmp_path: Path
) -> None:
    before = storage.verified(package("found before"))
    settings = SearchSettings(
        data_dir=tmp_path / "search", storage_address=storage.served.address, service_token=SERVICE_TOKEN
    )
    with serve(search.build(settings)) as served:
        user = SearchServiceStub(served.channel_as(Role.USER, "bob"))
        specification = storage.ann.GetSpecification(pb.GetSpecificationRequest(learnware_id=before)).specification

        def found() -> list[str]:
            latest = storage.admin.GetCatalogueSummary(pb.GetCatalogueSummaryRequest()).latest_sequence
            request = search_pb.SearchRequest(specification=specification, min_sequence=latest)
            return [single.learnware_id for single in user.Search(request).singles]

        assert found() == [before]
        later = storage.submit(storage.ann, package("verified while it is gone")).learnware.learnware_id
        proxy.refuses = lambda: True
        proxy.cut()
        assert found() == [before]
        storage.verdict(later, types_pb2.VERSION_STATE_VERIFIED)
        assert set(found()) == {before, later}, "the index follows the catalogue"


def test_an_object_store_that_hangs_is_unavailable(storage: Storage, proxy: TcpProxy, tmp_path: Path) -> None:
    learnware_id = storage.verified(package("hangs"))
    with served(proxy, tmp_path, s3_timeout_seconds=3.0) as impatient:
        proxy.change = lambda data: _never()
        with pytest.raises(errors.Unavailable):
            download(impatient.ann, learnware_id)


def _never() -> bytes:
    threading.Event().wait(5)
    return b""


def test_a_third_of_the_connections_break_and_the_bytes_are_right(
    storage: Storage, proxy: TcpProxy, tmp_path: Path
) -> None:
    data = package("third", **LARGE)
    chance = random.Random(3)
    proxy.refuses = lambda: chance.random() < 0.3
    learnware_id = patiently(lambda: storage.submit(storage.ann, data, request_id="")).learnware.learnware_id
    version = version_from_message(get(storage.ann, learnware_id).current_version)
    for number in range(5):
        proxy.cut()
        path = patiently(lambda: transfer.download(storage.ann, version, tmp_path / f"{number}.zip"))  # noqa: B023
        assert path.read_bytes() == data


@pytest.mark.parametrize("how", ["flipped", "truncated"])
def test_no_wrong_byte_is_given_out_as_right(storage: Storage, proxy: TcpProxy, tmp_path: Path, how: str) -> None:
    data = package(how, **LARGE)
    learnware_id = storage.verified(data)
    version = version_from_message(get(storage.ann, learnware_id).current_version)
    wrong = data[MIB : MIB + 64]
    proxy.cut()

    def change(piece: bytes) -> bytes:
        if wrong not in piece:
            return piece
        return piece.replace(wrong, bytes(64)) if how == "flipped" else piece[: piece.index(wrong)]

    proxy.change = change
    given: list[pb.DownloadPackageResponse] = []
    with pytest.raises((errors.DataLoss, errors.Unavailable)):
        given.extend(storage.ann.DownloadPackage(pb.DownloadPackageRequest(learnware_id=learnware_id)))
    assert sum(len(piece.data) for piece in given) < len(data)
    proxy.change = lambda piece: piece
    assert transfer.download(storage.ann, version, tmp_path / "right.zip").read_bytes() == data


def test_a_database_that_restarts_loses_no_acknowledged_write(tmp_path: Path) -> None:
    with (
        postgres_server() as server,
        served_storage(tmp_path, database_url=server.url(server.new_database())) as storage,
    ):
        made = [storage.verified(package(str(number))) for number in range(3)]
        server.stop()
        with pytest.raises(errors.Unavailable) as caught:
            ids(storage.ann)
        assert caught.value.retry_after
        server.start()
        assert patiently(lambda: ids(storage.ann)) == made
        assert storage.submit(storage.ann, package("after")).learnware.learnware_id == "00000004"
        assert storage.faults() == []


def test_a_promoted_standby_takes_over_with_every_acknowledged_write(tmp_path: Path) -> None:
    with postgres_server() as primary, replica_of(primary) as standby:
        primary.confirm_on_replicas()
        hosts = "&".join(f"host=127.0.0.1:{server.port}" for server in (primary, standby))
        url = f"postgresql://postgres@/{primary.new_database()}?{hosts}&target_session_attrs=read-write"
        with served_storage(tmp_path, database_url=url) as storage:
            made = [storage.verified(package(str(number))) for number in range(3)]
            primary.stop()
            with pytest.raises(errors.Unavailable) as caught:
                ids(storage.ann)
            assert caught.value.retry_after
            standby.promote()
            assert patiently(lambda: ids(storage.ann)) == made
            assert storage.submit(storage.ann, package("after")).learnware.learnware_id == "00000004"
            assert storage.faults() == []


def test_a_pool_of_connections_that_is_used_up_is_unavailable_and_recovers(tmp_path: Path) -> None:
    url = DATABASES["postgresql"](tmp_path)
    migrate(url, MIGRATIONS)
    database = Database(url)

    def use_up() -> None:
        with ExitStack() as held:
            for _ in range(100):
                held.enter_context(database.read()).execute(text("SELECT 1"))

    with pytest.raises(errors.Unavailable) as caught:
        use_up()
    assert caught.value.retry_after
    with database.write() as session:
        assert session.scalar(text("SELECT 1")) == 1
    database.close()
