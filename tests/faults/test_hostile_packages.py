"""Packages that attack, through the real validation on every executor: the right verdict, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import os
from pathlib import Path
import re
import socket
import time
import uuid

import docker
import numpy as np
import pytest

from learndock.sandbox.bubblewrap import BubblewrapExecutor
from learndock.sandbox.cgroup import PARENT, ROOT
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.owner import own_mark
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as pb
from tests.support.hostile import DISHONEST, GREEDY, Hostile, attempt, attempts, together
from tests.support.models import model_package
from tests.support.validation import storing, stub, watched

LEFT_OVER_SECONDS = 30.0
GOOD = "good neighbour"
ALONE = "kills whatever it sees"
TOGETHER = "tries everything"


def packages_of(victim: Path, port: int, abstract: str) -> dict[str, Hostile]:
    """All hostile packages; one of them makes all attempts but the one that it would not survive."""
    tried = attempts(victim, port, abstract)
    others = [made for name, made in tried.items() if name != ALONE]
    return {**tried, **GREEDY, **DISHONEST, TOGETHER: together(others)}


ATTEMPTS = tuple(attempts(Path(), 0, ""))
HOSTILE = packages_of(Path(), 0, "")
# The guest and the checks are the same everywhere: what they must withstand is shown once. gVisor starts slowly.
SHOWN = {
    "bubblewrap": tuple(HOSTILE),
    "docker": (*ATTEMPTS, *GREEDY),
    "gvisor": (TOGETHER, ALONE, "fork bomb", "64 GiB", "endless loop"),
}
EXECUTORS = [
    pytest.param("bubblewrap", id="bubblewrap"),
    pytest.param("docker", id="docker", marks=pytest.mark.docker),
    pytest.param("gvisor", id="gvisor", marks=pytest.mark.gvisor),
]


@dataclass(frozen=True)
class Battle:
    """What became of all packages on one executor, and of the machine under it."""

    executor: str
    ends: dict[str, pb.Validation]
    states: set[int]
    victim: Path
    visitors: int
    environments_before: dict[str, tuple[int, float]]
    environments_after: dict[str, tuple[int, float]]
    data: Path


@pytest.fixture(scope="module")
def secret() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEARNDOCK_SECRET_OF_THE_HOST", "secret")
        yield


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(scope="module", params=EXECUTORS)
def battle(
    request: pytest.FixtureRequest, secret: None, environments: Path, tmp_path_factory: pytest.TempPathFactory
) -> Battle:
    folder = tmp_path_factory.mktemp(request.param)
    victim = folder / "victim"
    victim.mkdir()
    victim.chmod(0o777)
    (victim / "secret").write_text("secret")
    name = uuid.uuid4().hex
    with listening(("127.0.0.1", 0)) as by_port, listening(f"\0{name}") as by_name:
        packages = packages_of(victim, by_port.getsockname()[1], name)
        with storing(folder, environments) as dock:
            limits = {"workers": 6, "load_seconds": 25.0, "predict_seconds": 4.0, "sandbox_seconds": 50.0}
            with dock.validator(executor=request.param, **limits) as served:
                first = dock.submit(model_package(folder, name="first"))
                watched(stub(served), first)  # makes the environment
                before = listed(environments)
                ids = {each: dock.submit(packages[each].build(folder, each)) for each in slowest_first(request.param)}
                ids[GOOD] = dock.submit(model_package(folder, name=GOOD))
                ends = {each: watched(stub(served), learnware_id)[-1] for each, learnware_id in ids.items()}
            states = {dock.version(learnware_id).state for each, learnware_id in ids.items() if each != GOOD}
        return Battle(
            executor=request.param,
            ends=ends,
            states=states,
            victim=victim,
            visitors=visits(by_port) + visits(by_name),
            environments_before=before,
            environments_after=listed(environments),
            data=folder / "validator",
        )


def slowest_first(executor: str) -> list[str]:
    """Those that are waited for begin early, so that the others are done meanwhile."""
    reasons = {name: HOSTILE[name].reason for name in SHOWN[executor]}
    return sorted(reasons, key=lambda name: ("loads: TIMED_OUT" not in reasons[name], "TIMED_OUT" not in reasons[name]))


def test_each_is_rejected_for_its_deed(battle: Battle) -> None:
    assert set(battle.ends) == {*SHOWN[battle.executor], GOOD}
    for name in SHOWN[battle.executor]:
        end = battle.ends[name]
        assert end.state == pb.VALIDATION_STATE_REJECTED, (name, end)
        assert re.search(HOSTILE[name].reason, end.reason), (name, end)
        assert (end.attempts, len(end.reason) < 1100) == (1, True), (name, end)


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 20


def test_one_success_among_all_attempts_would_show(environments: Path, tmp_path: Path) -> None:
    package = together((attempt("raise OSError"), attempt("return True"))).build(tmp_path, "succeeds")
    launcher = LearnwareLauncher(BubblewrapExecutor(), EnvironmentCache(environments), tmp_path / "work", Limits())
    with launcher.open(package) as model:
        assert len(model.predict(np.zeros((5, 3)))) == 5


def test_a_good_one_among_them_is_verified(battle: Battle) -> None:
    assert battle.ends[GOOD].state == pb.VALIDATION_STATE_VERIFIED, battle.ends[GOOD]
    assert battle.states == {types_pb2.VERSION_STATE_REJECTED}


def test_the_host_is_untouched(battle: Battle) -> None:
    assert [path.name for path in battle.victim.iterdir()] == ["secret"]
    assert battle.visitors == 0
    assert battle.environments_after == battle.environments_before


def test_nothing_is_left(battle: Battle) -> None:
    end = time.monotonic() + LEFT_OVER_SECONDS
    while (found := left_over(battle)) and time.monotonic() < end:
        time.sleep(0.5)
    assert found == []


def left_over(battle: Battle) -> list[str]:
    """Whatever of the sandboxes of this process is still there."""
    folders = [path for kind in ("packages", "work") for path in (battle.data / kind).iterdir()]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(battle.data) in line]
    groups = list(ROOT.glob(f"**/{PARENT}/{own_mark()}*"))
    return [*map(str, folders), *mounts, *map(str, groups), *children(), *containers(battle.executor)]


def children() -> list[str]:
    """Processes of sandboxes whose parent is this one."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if rest.split()[1] == str(os.getpid()) and name in ("bwrap", "sh"):
            found.append(f"{stat}: {name}")
    return found


def containers(executor: str) -> list[str]:
    if executor == "bubblewrap":
        return []
    client = docker.from_env()
    mine = client.containers.list(all=True, filters={"label": f"learndock.owner={own_mark()}"}, ignore_removed=True)
    return [container.id for container in mine]


def listed(folder: Path) -> dict[str, tuple[int, float]]:
    """Size and time of all files of the environments but for their byte code, which may still be in the making."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime)
        for path in folder.glob("*/**/*")
        if path.is_file() and path.suffix != ".pyc" and path.parent.name not in ("locks", "resolutions", "uses")
    }


def listening(address: tuple[str, int] | str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    server.bind(address)
    server.listen()
    server.settimeout(0.0)
    return server


def visits(server: socket.socket) -> int:
    """How many came."""
    try:
        server.accept()
    except BlockingIOError:
        return 0
    return 1
