"""What every store of packages promises. An implementation joins by a line in `STORES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
import hashlib
import io
from pathlib import Path
from urllib.request import urlopen

import pytest

from learndock.errors import DataLoss, NotFound, Reason
from services.storage.blobs import BlobStore, CheckedSource, FolderBlobs, blob_name
from services.storage.s3_blobs import S3Blobs
from tests.support.s3 import ObjectStore, object_store

MIB = 2**20
STORES: dict[str, Callable[[pytest.FixtureRequest, Path], BlobStore]] = {
    "folder": lambda _, root: FolderBlobs(root / "blobs"),
    "s3": lambda request, _: request.getfixturevalue("bucket"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


@pytest.fixture
def bucket(server: ObjectStore) -> S3Blobs:
    blobs = S3Blobs(server.bucket("packages"))
    for blob in list(blobs.list_all()):
        blobs.delete(blob.sha256)
    return blobs


@pytest.fixture(params=STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    return STORES[request.param](request, tmp_path)


def content(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + bytes(size % 256)


def put(blobs: BlobStore, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    blobs.put(io.BytesIO(data), len(data), sha256)
    return sha256


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 33 * MIB + 17])
def test_bytes_come_back(blobs: BlobStore, size: int) -> None:
    data = content(size)
    sha256 = put(blobs, data)
    pieces = list(blobs.chunks(sha256))
    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= MIB for piece in pieces)
    blob = blobs.stat(sha256)
    assert blob is not None
    assert (blob.sha256, blob.size_bytes) == (sha256, size)


@pytest.mark.parametrize("offset", [1, MIB, 2 * MIB + 5, 3 * MIB])
def test_bytes_come_from_an_offset(blobs: BlobStore, offset: int) -> None:
    data = content(3 * MIB)
    assert b"".join(blobs.chunks(put(blobs, data), offset)) == data[offset:]


def test_putting_again_changes_nothing_but_the_touch_time(blobs: BlobStore) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)  # clocks of stores are coarse
    sha256 = put(blobs, b"once")
    assert put(blobs, b"once") == sha256
    assert b"".join(blobs.chunks(sha256)) == b"once"
    assert [blob.sha256 for blob in blobs.list_all()] == [sha256]
    blob = blobs.stat(sha256)
    assert blob is not None
    assert blob.touch_time >= began


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("data", "size"), [(b"other", 5), (b"claime", 7), (content(33 * MIB), 33 * MIB)])
def test_bytes_of_another_digest_are_refused_and_leave_nothing(
    blobs: BlobStore, data: bytes, size: int, *, known: bool
) -> None:
    claimed = hashlib.sha256(b"claimed").hexdigest()
    if known:
        put(blobs, b"claimed")
    with pytest.raises(DataLoss) as caught:
        blobs.put(io.BytesIO(data), size, claimed)
    assert caught.value.reason is Reason.HASH_MISMATCH
    assert [blob.sha256 for blob in blobs.list_all()] == ([claimed] if known else [])


def test_deleting_ends_a_blob_and_may_be_repeated(blobs: BlobStore) -> None:
    sha256, other = put(blobs, b"gone"), put(blobs, b"stays")
    for _ in range(2):
        blobs.delete(sha256)
    assert blobs.stat(sha256) is None
    assert [blob.sha256 for blob in blobs.list_all()] == [other]
    with pytest.raises(NotFound):
        list(blobs.chunks(sha256))


def test_an_empty_store_lists_nothing(blobs: BlobStore) -> None:
    assert list(blobs.list_all()) == []
    assert blobs.stat("0" * 64) is None


@pytest.mark.parametrize("size", [5, 3 * MIB])
def test_changed_bytes_are_never_given_out_whole(tmp_path: Path, size: int) -> None:
    """The folder's own promise: another store's bytes cannot be reached from here."""
    blobs = FolderBlobs(tmp_path / "blobs")
    sha256 = put(blobs, content(size))
    file = next((tmp_path / "blobs").glob(f"??/??/{sha256}"))
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    given = []
    with pytest.raises(DataLoss):
        given.extend(blobs.chunks(sha256))
    assert len(b"".join(given)) < size


def test_a_put_that_was_cut_off_is_no_blob(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    (tmp_path / "blobs" / "incoming" / "half").write_bytes(b"ha")
    assert list(blobs.list_all()) == []


def test_an_address_serves_the_bytes_where_the_store_has_addresses(blobs: BlobStore) -> None:
    sha256 = put(blobs, b"served")
    url = blobs.url(sha256, timedelta(minutes=1))
    if isinstance(blobs, FolderBlobs):
        assert url is None
    else:
        assert url is not None
        with urlopen(url) as response:  # noqa: S310  # made by our own store
            assert response.read() == b"served"


def test_no_put_replaces_an_object(bucket: S3Blobs) -> None:
    """What lies under a digest stays even for one who looked before it was there."""
    for data in (b"small", content(20 * MIB)):
        sha256 = put(bucket, data)
        first = bucket._client.stat_object(bucket._bucket, blob_name(sha256)).etag
        bucket._create(CheckedSource(io.BytesIO(data), len(data), sha256), len(data), sha256)
        assert bucket._client.stat_object(bucket._bucket, blob_name(sha256)).etag == first
        assert b"".join(bucket.chunks(sha256)) == data


def test_changed_objects_are_never_given_out_whole(bucket: S3Blobs) -> None:
    sha256 = hashlib.sha256(b"claimed").hexdigest()
    bucket._client.put_object(bucket._bucket, blob_name(sha256), io.BytesIO(b"changed"), 7)
    given = []
    with pytest.raises(DataLoss):
        given.extend(bucket.chunks(sha256))
    assert given == []


def test_a_damaged_blob_put_aside_can_be_put_anew(blobs: BlobStore) -> None:
    sha256 = put(blobs, b"damaged")
    blobs.quarantine(sha256)
    assert blobs.stat(sha256) is None
    assert list(blobs.list_all()) == []
    assert b"".join(blobs.chunks(put(blobs, b"damaged"))) == b"damaged"
