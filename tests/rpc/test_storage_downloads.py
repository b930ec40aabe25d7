"""Large packages come straight from the object store where it can be reached, several come as one archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4
import zipfile

import pytest

from learndock.client import direct, transfer
from learndock.client.dock import Dock
from learndock.errors import DataLoss, NotFound
from learndock.v1 import storage_service_pb2 as pb
from learndock.wire import version_from_message
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, object_store
from tests.support.storage import Storage, get, package, served_storage
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

DATA = package("large", **{"weights.bin": bytes(range(256)) * 8192})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def proxy(server: ObjectStore) -> Iterator[TcpProxy]:
    """The way by which callers reach the object store; the dock has its own."""
    with tcp_proxy(server.endpoint) as made:
        yield made


@pytest.fixture
def storage(server: ObjectStore, proxy: TcpProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(direct, "MIN_BYTES", 2**20)
    with served_storage(
        tmp_path / "dock",
        s3_endpoint=server.endpoint,
        s3_public_endpoint=proxy.address,
        s3_bucket=f"packages-{uuid4().hex}",
        s3_access_key=ACCESS_KEY,
        s3_secret_key=SECRET_KEY,
        s3_secure=False,
    ) as made:
        yield made


def fetch(storage: Storage, learnware_id: str, path: Path) -> tuple[bytes, int]:
    """A package, and how many of its bytes came from the dock."""
    version = version_from_message(get(storage.ann, learnware_id).current_version)
    from_dock = 0

    class Counted:
        """Counts what the dock gives."""

        GetDownloadUrl = staticmethod(storage.ann.GetDownloadUrl)

        @staticmethod
        def DownloadPackage(request: pb.DownloadPackageRequest, timeout: float) -> Iterator[pb.DownloadPackageResponse]:
            nonlocal from_dock
            for piece in storage.ann.DownloadPackage(request, timeout=timeout):
                from_dock += len(piece.data)
                yield piece

    return transfer.download(Counted(), version, path).read_bytes(), from_dock  # type: ignore[arg-type]


def test_a_large_package_comes_from_the_object_store(storage: Storage, tmp_path: Path) -> None:
    learnware_id = storage.submit(storage.ann, DATA).learnware.learnware_id
    assert fetch(storage, learnware_id, tmp_path / "got.zip") == (DATA, 0)


def test_an_interrupted_one_goes_on_from_its_offset(storage: Storage, tmp_path: Path, proxy: TcpProxy) -> None:
    learnware_id = storage.submit(storage.ann, DATA).learnware.learnware_id
    digest = get(storage.ann, learnware_id).current_version.sha256
    (tmp_path / f".got.zip.{digest[:12]}.part").write_bytes(DATA[:-1000])
    passed = 0

    def count(piece: bytes) -> bytes:
        nonlocal passed
        passed += len(piece)
        return piece

    proxy.change = count
    assert fetch(storage, learnware_id, tmp_path / "got.zip") == (DATA, 0)
    assert passed < 10_000


def test_what_callers_cannot_reach_comes_through_the_dock(storage: Storage, tmp_path: Path, proxy: TcpProxy) -> None:
    learnware_id = storage.submit(storage.ann, DATA).learnware.learnware_id
    proxy.refuses = lambda: True
    proxy.cut()
    assert fetch(storage, learnware_id, tmp_path / "got.zip") == (DATA, len(DATA))


def test_wrong_bytes_from_there_are_no_package(storage: Storage, tmp_path: Path, proxy: TcpProxy) -> None:
    learnware_id = storage.submit(storage.ann, DATA).learnware.learnware_id
    wrong = bytes(range(64, 128))
    proxy.change = lambda piece: piece.replace(wrong, bytes(64))
    with pytest.raises(DataLoss):
        fetch(storage, learnware_id, tmp_path / "got.zip")
    assert not list(tmp_path.glob("*got.zip*"))


def test_several_come_as_one_archive(tmp_path: Path) -> None:
    with served_storage(tmp_path / "dock") as storage, Dock({"storage": storage.served.address}, "USER:ann") as dock:
        ids = [storage.submit(storage.ann, package(note)).learnware.learnware_id for note in "123"]
        with zipfile.ZipFile(dock.download_together(ids, tmp_path / "all.zip")) as archive:
            assert {name: archive.read(name) for name in archive.namelist()} == {
                f"{each}-v1.zip": package(note) for each, note in zip(ids, "123", strict=True)
            }
        with pytest.raises(NotFound):
            dock.download_together([*ids, "00000099"], tmp_path / "more.zip")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "dock"]
