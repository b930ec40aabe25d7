"""Packages at hand are whole, right and not too many."""

from __future__ import annotations

from collections.abc import Iterator
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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_fetches_a_package_once(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    cache = PackageCache(tmp_path, storage.download, max_bytes=1000)
    first, second = cache.fetch(storage.member("a")), cache.fetch(storage.member("a"))
    assert first == second
    assert first.read_bytes() == b"whole package"
    assert storage.downloads == 1


def test_damaged_bytes_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    member = storage.member("a")
    storage.packages["a"] = b"whole pAckage"
    with pytest.raises(DataLoss) as caught:
        PackageCache(tmp_path, storage.download, max_bytes=1000).fetch(member)
    assert caught.value.reason is Reason.HASH_MISMATCH
    assert names(tmp_path) == []


def test_a_broken_download_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(a=b"whole package")
    member = storage.member("a")
    del storage.packages["a"]
    with pytest.raises(NotFound):
        PackageCache(tmp_path, storage.download, max_bytes=1000).fetch(member)
    assert names(tmp_path) == []


def test_removes_what_was_not_used_for_longest(tmp_path: Path) -> None:
    storage = Storage(a=b"a" * 40, b=b"b" * 40, c=b"c" * 40)
    cache = PackageCache(tmp_path, storage.download, max_bytes=100)
    paths = {name: cache.fetch(storage.member(name)) for name in "ab"}
    os.utime(paths["a"], (2000, 2000))
    os.utime(paths["b"], (1000, 1000))
    paths["c"] = cache.fetch(storage.member("c"))
    assert names(tmp_path) == sorted([paths["a"].name, paths["c"].name])


def test_keeps_the_newest_even_when_it_alone_is_too_large(tmp_path: Path) -> None:
    storage = Storage(a=b"a" * 40)
    assert PackageCache(tmp_path, storage.download, max_bytes=1).fetch(storage.member("a")).exists()


def test_sweeps_what_an_earlier_process_left(tmp_path: Path) -> None:
    (tmp_path / "half.part").write_bytes(b"half")
    PackageCache(tmp_path, Storage().download, max_bytes=1)
    assert names(tmp_path) == []
