"""Environments make room for each other, never while one is in use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import subprocess
import sys
import threading

import pytest

from learndock.sandbox.shelf import Shelf

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
SIZE = 1000


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, 2 * SIZE)


def put(shelf: Shelf, root: Path, digest: str, moment: int) -> None:
    (root / digest / "package").mkdir(parents=True)
    (root / digest / "package" / "module.py").write_bytes(bytes(SIZE))
    shelf.add(digest)
    os.utime(root / "uses" / digest, (moment, moment))


def kept(root: Path) -> set[str]:
    return {name for name in os.listdir(root) if name != "uses"}


def test_the_one_not_used_for_longest_goes(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, tmp_path, A, 1)
    put(shelf, tmp_path, B, 2)
    assert kept(tmp_path) == {A, B}
    shelf.note_use(A)
    put(shelf, tmp_path, C, 3)
    assert kept(tmp_path) == {A, C}


def test_one_in_use_stays_and_another_goes(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, tmp_path, A, 1)
    put(shelf, tmp_path, B, 2)
    with shelf.in_use(A):
        put(shelf, tmp_path, C, 3)
    assert kept(tmp_path) == {A, C}


def test_one_that_alone_is_too_large_stays_while_it_is_the_newest(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 0)
    put(shelf, tmp_path, A, 1)
    assert kept(tmp_path) == {A}
    put(shelf, tmp_path, B, 2)
    assert kept(tmp_path) == {B}


def test_another_process_counts_as_a_user_until_it_ends(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 0)
    put(shelf, tmp_path, A, 1)
    with shelf.in_use(A) as lock:
        user = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(lock,))
    put(shelf, tmp_path, B, 2)
    assert kept(tmp_path) == {A, B}
    user.communicate(b"\n")
    put(shelf, tmp_path, C, 3)
    assert kept(tmp_path) == {C}


def test_what_was_there_before_is_counted(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / A).mkdir()
    (tmp_path / A / "module.py").write_bytes(bytes(3 * SIZE))
    put(shelf, tmp_path, B, 1)
    assert kept(tmp_path) == {B}


def test_folders_that_others_are_making_do_not_stop_it(tmp_path: Path) -> None:
    """Drafts beside it appear and vanish while their size is taken."""
    shelf = Shelf(tmp_path, 100 * SIZE)
    made = threading.Event()

    def make() -> None:
        with shelf.in_use(A):
            (tmp_path / A).mkdir()
            while not made.is_set():
                (tmp_path / A / "package.part").write_bytes(bytes(SIZE))
                (tmp_path / A / "package.part").rename(tmp_path / A / "package.zip")

    with ThreadPoolExecutor() as other:
        making = other.submit(make)
        try:
            for number in range(300):
                put(shelf, tmp_path, f"{number:064x}", number)
        finally:
            made.set()
        making.result()
    assert A in kept(tmp_path)
