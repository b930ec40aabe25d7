"""Environments: resolved, installed from wheels, shared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import socket
import stat
import subprocess
import sys
import time

import pytest

from learndock.errors import Cancelled, InvalidInput, Reason, Unavailable
from learndock.package.requirements import Requirements
from learndock.sandbox.environment import Environment, EnvironmentCache
from learndock.sandbox.installer import Installer
from learndock.sandbox.pins import PinPolicy


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module")
def numpy_alone(root: Path) -> Environment:
    return EnvironmentCache(root).ensure(Requirements(lines=("numpy",)))


def test_packages_are_installed(numpy_alone: Environment) -> None:
    assert len(numpy_alone.lock) == 1
    assert numpy_alone.lock[0].startswith("numpy==")
    code = f"import sys; sys.path.insert(0, {str(numpy_alone.path)!r}); import numpy; print(numpy.__version__)"
    told = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == numpy_alone.lock[0].removeprefix("numpy==")


def test_everybody_may_read(numpy_alone: Environment) -> None:
    for folder, _, names in os.walk(numpy_alone.path):
        assert os.stat(folder).st_mode & stat.S_IROTH
        assert os.stat(folder).st_mode & stat.S_IXOTH
        assert all(os.stat(os.path.join(folder, name)).st_mode & stat.S_IROTH for name in names)


def test_same_lock_is_shared(root: Path, numpy_alone: Environment) -> None:
    told: list[str] = []
    cache = EnvironmentCache(root)
    assert cache.ensure(Requirements(lines=()), told.append) == numpy_alone  # NumPy is always part of it
    pinned = cache.ensure(Requirements(lines=numpy_alone.lock), told.append)
    assert (pinned.path, pinned.digest) == (numpy_alone.path, numpy_alone.digest)
    assert set(told) == {"resolving requirements"}


def test_nothing_is_asked_twice(root: Path, numpy_alone: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    assert EnvironmentCache(root).ensure(Requirements(lines=("numpy",))) == numpy_alone


def test_two_at_a_time_make_one(tmp_path: Path) -> None:
    caches = [EnvironmentCache(tmp_path) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda cache: cache.ensure(Requirements()), caches)
    assert first == second
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"locks", "resolutions", "uses", first.digest}


def test_constraints_hold(tmp_path: Path) -> None:
    cache = EnvironmentCache(tmp_path, constraints=("numpy<2.1",))
    with pytest.raises(InvalidInput) as caught:
        cache.ensure(Requirements(lines=("numpy>=2.2",)))
    assert caught.value.reason is Reason.UNSUPPORTED_DEPENDENCY
    assert "numpy>=2.2" in caught.value.message


@pytest.mark.parametrize(
    ("line", "exists"),
    [
        ("numpy==0.0.1", "the newest that fits is numpy=="),
        ("numpy<0.5", "the newest that fits is numpy=="),
        ("no-such-package-as-this-one", "no wheel of no-such-package-as-this-one exists"),
    ],
)
def test_what_cannot_be_had_is_named_with_what_exists(root: Path, line: str, exists: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        EnvironmentCache(root).ensure(Requirements(lines=("packaging", line)))
    assert caught.value.reason is Reason.UNSUPPORTED_DEPENDENCY
    assert repr(line) in caught.value.message
    assert exists in caught.value.message


def test_lines_that_contradict_each_other_are_refused(root: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        EnvironmentCache(root).ensure(Requirements(lines=("numpy<2.3", "numpy>=2.3")))
    assert caught.value.reason is Reason.UNSUPPORTED_DEPENDENCY


def test_an_index_out_of_reach_is_no_fault_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Unavailable):
        EnvironmentCache(tmp_path).ensure(Requirements())


def test_torch_comes_as_the_operator_wants_it(root: Path) -> None:
    """The resolution alone: no build for graphics cards, which would be gigabytes."""
    lock = Installer(root, ("torch==2.13.0",)).resolve(("torch", "numpy"), lambda: None)
    assert any(entry.startswith("torch==2.13.0") for entry in lock)
    if os.environ.get("PIP_FIND_LINKS"):
        assert not any(entry.startswith(("nvidia", "triton", "cuda")) for entry in lock)


@pytest.mark.parametrize(("line", "taken"), [("joblib==1.4.999", "joblib==1.4."), ("joblib>=99", "joblib==")])
def test_pins_give_way_where_the_operator_lets_them(root: Path, line: str, taken: str) -> None:
    cache = EnvironmentCache(root, pins=PinPolicy.RELAX_PINS)
    environment = cache.ensure(Requirements(lines=("packaging", line)))
    (note,) = environment.relaxed
    assert note.startswith(f"{line} -> {taken}")
    assert note.split(" -> ")[1] in environment.lock
    assert cache.ensure(Requirements(lines=("packaging", line))) == environment  # also when it is remembered


def test_what_is_near_nothing_is_refused_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        EnvironmentCache(tmp_path, pins=PinPolicy.RELAX_PINS).ensure(
            Requirements(lines=("no-such-package-as-this-one==1.0",))
        )
    assert "no-such-package-as-this-one" in caught.value.message


def test_an_installation_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()  # an index that never answers
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    told: list[str] = []

    def stop(what: str) -> None:
        told.append(what)
        raise Cancelled(Reason.CANCELLED, "enough")

    with silent, pytest.raises(Cancelled):
        EnvironmentCache(tmp_path).ensure(Requirements(lines=("a-name-that-is-not-cached",)), stop)
    assert told == ["resolving requirements"]


def test_the_installer_knows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\ncase $(env) in *secret*) echo told >&2;; *) echo untold >&2;; esac\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("learndock.sandbox.installer._program", lambda: str(program))
    monkeypatch.setenv("LEARNDOCK_SERVICE_TOKEN", "secret")
    with pytest.raises(Unavailable, match="untold"):
        EnvironmentCache(tmp_path / "environments").ensure(Requirements())


def test_an_environment_stays_while_it_is_held(tmp_path: Path) -> None:
    cache = EnvironmentCache(tmp_path, max_bytes=0)
    with cache.held(Requirements()) as one:
        two = EnvironmentCache(tmp_path, max_bytes=0).ensure(Requirements(lines=("packaging",)))
        assert one.path.exists()
        assert two.path.exists(), "the newest stays, too"


def test_byte_code_comes_after_the_first_use(tmp_path: Path) -> None:
    environment = EnvironmentCache(tmp_path).ensure(Requirements())
    end = time.monotonic() + 60
    while not list(environment.path.rglob("*.pyc")):
        assert time.monotonic() < end
        time.sleep(0.1)
