"""Two replicas of every service, PostgreSQL with a replica, an object store: callers notice no restart and no death."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from learndock.client.dock import Dock
from learndock.rkme.fit import build_specification
from tests.support.cluster import REPLICAS, Cluster, cluster
from tests.support.learnwares import Digits, digits_package
from tests.support.load import load_on
from tests.support.processes import SERVICES

pytestmark = pytest.mark.timeout(900)
LABELS = (0, 1, 2)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="module")
def learnware_id(running: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    package = digits_package(tmp_path_factory.mktemp("packages"), LABELS)
    with Dock(running.addresses, running.admin_token) as user:
        entered = user.submit(package).learnware_id
        validation = user.wait_until_validated(entered)
        assert validation.passed, validation
        user.wait_until_searchable(entered)
    return entered


def test_the_story(running: Cluster, learnware_id: str) -> None:
    mine = Digits.of(LABELS, half=1)
    with Dock(running.addresses, running.admin_token) as user:
        for _ in range(REPLICAS):  # whichever replica answers, it knows
            found = user.search(build_specification(mine.X), min_sequence=user.summary().latest_sequence)
            assert found.best is not None
            assert found.best.learnware_id == learnware_id
        with user.reuse(found) as model:
            for _ in range(REPLICAS):
                assert (np.asarray(model.predict(mine.X)).ravel() == mine.y).mean() > 0.9
        assert user.check_integrity(read_packages=True) == ()


@pytest.mark.parametrize("service", SERVICES)
def test_no_call_fails_while_replicas_are_restarted(
    running: Cluster, learnware_id: str, tmp_path: Path, service: str
) -> None:
    with load_on(running, learnware_id, tmp_path) as load:
        load.wait_for(1)
        running.restart(service)
        load.wait_for(1)
    assert load.failures == []


@pytest.mark.parametrize("service", SERVICES)
def test_no_call_fails_when_a_replica_is_killed(
    running: Cluster, learnware_id: str, tmp_path: Path, service: str
) -> None:
    with load_on(running, learnware_id, tmp_path) as load:
        load.wait_for(1)
        running.kill(service, 0)
        load.wait_for(1)
    assert load.failures == []


def test_the_dock_is_whole_after_all_that(running: Cluster) -> None:
    with Dock(running.addresses, running.admin_token) as user:
        assert user.check_integrity(read_packages=True) == ()
