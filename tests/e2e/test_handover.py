"""A validated model goes on to serve the first who reuses it, on a dock in one process; nobody else meets it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import learndock
from learndock.sandbox.cgroup import ControlGroup
from learndock.sandbox.executor import Limits
from learndock.sandbox.faults import ModelFault
from learndock.sandbox.model_process import ModelProcess
from services.allinone import dock as allinone
from tests.support.dock import ENVIRONMENTS
from tests.support.models import model_package

ROWS = np.zeros((5, 3))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ModelProcess]:
    """Every model that is started in this process."""
    made: list[ModelProcess] = []
    initialize = ModelProcess.__init__

    def noting(self: ModelProcess, *arguments: object, **options: object) -> None:
        initialize(self, *arguments, **options)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(ModelProcess, "__init__", noting)
    return made


@pytest.fixture
def dock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[learndock.Dock]:
    group = ControlGroup.create(Limits())
    can_be_weighed = group.weigh(1.0)
    group.remove()
    if not can_be_weighed:
        pytest.skip("without control groups a sandbox goes on yielding, and is not handed over")
    for service in ("VALIDATOR", "REUSE"):
        monkeypatch.setenv(f"LEARNDOCK_{service}_EXECUTOR", "bubblewrap")
    running = allinone.start(tmp_path / "dock", listen="127.0.0.1:0", environments_dir=ENVIRONMENTS)
    try:
        with learndock.Dock(running.address, running.admin_token_file.read_text().strip()) as client:
            yield client
    finally:
        running.stop()


def test_the_first_reuser_gets_the_validated_model_and_the_second_a_new_one(
    dock: learndock.Dock, started: list[ModelProcess], tmp_path: Path
) -> None:
    learnware_id = dock.submit(model_package(tmp_path)).learnware_id
    assert dock.wait_until_validated(learnware_id).passed
    (validated,) = started
    with dock.reuse([learnware_id]) as first:
        assert len(np.asarray(first.predict(ROWS))) == len(ROWS)
        assert started == [validated]
        with dock.reuse([learnware_id]) as second:
            second.predict(ROWS)
            assert len(started) == 2
    with dock.reuse([learnware_id]) as third:
        third.predict(ROWS)
    assert len(started) == 3


def test_a_rejected_model_serves_nobody(dock: learndock.Dock, started: list[ModelProcess], tmp_path: Path) -> None:
    bad = model_package(tmp_path, predict="return np.full(len(X), np.nan)")
    assert not dock.wait_until_validated(dock.submit(bad).learnware_id).passed
    (rejected,) = started
    with pytest.raises(ModelFault):
        rejected.predict(ROWS)
