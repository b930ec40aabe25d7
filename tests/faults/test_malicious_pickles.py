"""Malicious pickles loaded inside of sandboxes: they do run there, and nothing of it is seen outside."""

from __future__ import annotations

from pathlib import Path
import sys

import pytest

from learndock.sandbox.choice import choose_executor
from learndock.sandbox.executor import GIB, Deadline, Exit, ExitCause, Limits, Mount
from tests.support.malicious_pickles import corpus

PATIENCE = 120.0
LOADER = """
import bz2, gzip, io, lzma, os, pickle, signal, sys, time, zipfile, zlib
os.mkdir("/tmp/ran")

def contents(data, depth=0):
    yield data
    for read in (gzip.decompress, zlib.decompress, bz2.decompress, lzma.decompress):
        try:
            yield from contents(read(data), depth + 1)
        except Exception:
            pass
    if data[:2] == b"PK":
        archive = zipfile.ZipFile(io.BytesIO(data))
        for name in archive.namelist():
            yield from contents(archive.read(name), depth + 1)
    if data[:6] == b"\\x93NUMPY":
        yield data[10 + int.from_bytes(data[8:10], "little"):]

def load(data):
    for content in contents(data):
        stream = io.BytesIO(content)
        while stream.tell() < len(content):
            try:
                pickle.load(stream)
            except Exception:
                break

for number, name in enumerate(sorted(os.listdir("/corpus"))):
    if os.fork() == 0:
        signal.alarm(2)
        os.environ["LEARNDOCK_PICKLE_RAN"] = f"/tmp/ran/{number}"
        sys.stdin = open(os.devnull)
        with open(f"/corpus/{name}", "rb") as file:
            load(file.read())
        os._exit(0)
    os.wait()
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
print(len(os.listdir("/tmp/ran")))
"""


@pytest.mark.parametrize("name", ["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def test_all_are_contained(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "corpus"
    files.mkdir(mode=0o755)
    for number, data in enumerate(corpus().values()):
        (files / f"{number:03}").write_bytes(data)
    marker = tmp_path / "ran"
    monkeypatch.setenv("LEARNDOCK_PICKLE_RAN", str(marker))
    executor = choose_executor(name)
    process = executor.start(
        [executor.python, "-I", "-c", LOADER],
        mounts=(Mount(files, "/corpus"),),
        limits=Limits(memory_bytes=GIB // 2, wall_seconds=PATIENCE),
    )
    try:
        told = b""
        while piece := process.read(4096, Deadline(PATIENCE)):
            told += piece
        assert process.wait(PATIENCE) == Exit(0, ExitCause.EXITED), process.log_tail()
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert int(told.split()[-1]) >= 20, "the corpus is alive"
    assert not marker.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"corpus"}
    assert "antigravity" not in sys.modules
