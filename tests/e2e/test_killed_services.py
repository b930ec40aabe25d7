"""Any one service killed at any step of the story and started again: the story completes and the dock is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
import threading
from typing import TypeVar

import numpy as np
import pytest

from learndock.client.dock import Dock
from learndock.rkme.fit import build_specification
from tests.support.learnwares import Digits, digits_package
from tests.support.patience import patiently
from tests.support.processes import SERVICES, ProcessDock, process_dock

_Result = TypeVar("_Result")
LABELS = {"identity": (0, 1), "spec": (1, 2), "storage": (2, 3), "validator": (3, 4), "search": (4, 5), "reuse": (5, 6)}


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessDock]:
    with process_dock(tmp_path_factory.mktemp("processes")) as running:
        yield running


@pytest.mark.parametrize("victim", SERVICES)
def test_the_story_completes(dock: ProcessDock, tmp_path: Path, victim: str) -> None:
    labels = LABELS[victim]
    package = digits_package(tmp_path, labels)
    mine = Digits.of(labels, half=1)
    specification = build_specification(mine.X)
    with Dock(dock.addresses, dock.admin_token) as user:
        learnware_id = during(lambda: kill_and_start(dock, victim), lambda: user.submit(package)).learnware_id
        validation = during(
            lambda: kill_and_start(dock, victim), lambda: patiently(lambda: user.wait_until_validated(learnware_id))
        )
        assert validation.passed, validation
        kill_and_start(dock, victim)
        sequence = patiently(user.summary).latest_sequence
        found = patiently(lambda: user.search(specification, min_sequence=sequence))
        assert found.best is not None
        assert found.best.learnware_id == learnware_id
        with patiently(lambda: user.reuse([learnware_id])) as model:
            kill_and_start(dock, victim)
            predicted = patiently(lambda: model.predict(mine.X))
        assert (np.asarray(predicted).ravel() == mine.y).mean() > 0.9
        assert patiently(lambda: user.check_integrity(read_packages=True)) == ()


def kill_and_start(dock: ProcessDock, name: str) -> None:
    dock.kill(name)
    dock.start(name)


def during(interference: Callable[[], None], act: Callable[[], _Result]) -> _Result:
    """Result of `act` while `interference` happens beside it."""
    beside = threading.Thread(target=interference)
    beside.start()
    try:
        return patiently(act)
    finally:
        beside.join()
