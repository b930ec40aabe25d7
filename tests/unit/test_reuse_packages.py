"""Packages at hand are whole, right and not too many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import hashlib
import os
from pathlib import Path

import pytest

from learndock.errors import DataLoss, NotFound, Reason
from learndock.learnware import SemanticSpecification
from services.reuse.packages import PackageCache
from services.reuse.record import MemberRecord

SEMANTIC = SemanticSpecification("name", "description", "Table", "Classification", "Others", ("Others",))


class Storage:
    """Gives bytes in small pieces, and remembers how often."""

    def __init__(self, **packages: bytes) -> None:
        self.packages = packages
        self.downloads = 0

    def download(self, member: MemberRecord) -> Iterator[bytes]:
        self.downloads += 1
        if member.learnware_id not in self.packages:
            raise NotFound(Reason.RESOURCE_UNKNOWN, "gone")
        data = self.packages[member.learnware_id]
        yield from (data[at : at + 3] for at in range(0, len(data), 3))

    def member(self, learnware_id: str) -> MemberRecord:
        digest = hashlib.sha256(self.packages[learnware_id]).hexdigest()
        return MemberRecord(learnware_id, 1, digest, 1.0, SEMANTIC, None)


def kept(folder: Path) -> set[bytes]:
    """What packages, whole or not, hold."""
    return {path.read_bytes() for path in folder.glob("*/*.*")}


def fetched(cache: PackageCache, member: MemberRecord) -> Path:
    with cache.held(member) as path:
        return path


def test_fetches_a_package_once(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    cache = PackageCache(tmp_path, storage.download, max_bytes=1000)
    first, second = fetched(cache, storage.member("a")), fetched(cache, storage.member("a"))
    assert first == second
    assert first.read_bytes() == b"whole package"
    assert storage.downloads == 1


def test_damaged_bytes_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    member = storage.member("a")
    storage.packages["a"] = b"whole pAckage"
    with pytest.raises(DataLoss) as caught:
        fetched(PackageCache(tmp_path, storage.download, max_bytes=1000), member)
    assert caught.value.reason is Reason.HASH_MISMATCH
    assert not kept(tmp_path)


def test_a_broken_download_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    member = storage.member("a")
    del storage.packages["a"]
    with pytest.raises(NotFound):
        fetched(PackageCache(tmp_path, storage.download, max_bytes=1000), member)
    assert not kept(tmp_path)


def test_what_was_damaged_on_disk_is_fetched_again(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    cache = PackageCache(tmp_path, storage.download, max_bytes=1000)
    fetched(cache, storage.member("a")).write_bytes(b"whole pAckage")
    assert fetched(cache, storage.member("a")).read_bytes() == b"whole package"


def test_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    storage = Storage(a=b"a" * 40, b=b"b" * 40, c=b"c" * 40)
    cache = PackageCache(tmp_path, storage.download, max_bytes=100)
    for name, moment in (("a", 2000), ("b", 1000)):
        digest = fetched(cache, storage.member(name)).parent.name
        os.utime(tmp_path / "uses" / digest, (moment, moment))
    fetched(cache, storage.member("c"))
    assert kept(tmp_path) == {b"a" * 40, b"c" * 40}


def test_one_in_use_stays_whatever_its_size(tmp_path: Path) -> None:
    storage = Storage(a=b"a" * 40, b=b"b" * 40, c=b"c" * 40)
    cache = PackageCache(tmp_path, storage.download, max_bytes=1)
    with cache.held(storage.member("a")) as path:
        fetched(cache, storage.member("b"))
        assert path.exists()
        assert kept(tmp_path) == {b"a" * 40, b"b" * 40}
    fetched(cache, storage.member("c"))
    assert kept(tmp_path) == {b"c" * 40}


def test_two_that_want_the_same_fetch_it_once(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    caches = [PackageCache(tmp_path, storage.download, max_bytes=1000) for _ in range(4)]
    with ThreadPoolExecutor(len(caches)) as pool:
        paths = list(pool.map(lambda cache: fetched(cache, storage.member("a")), caches))
    assert [path.read_bytes() for path in paths] == [b"whole package"] * len(caches)
    assert storage.downloads == 1
