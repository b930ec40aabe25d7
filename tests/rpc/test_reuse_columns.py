"""Members of another feature space in the reuse service, through a real channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from learndock.errors import InvalidInput
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import tensor_from_message
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from tests.support.learnwares import Digits, digits_package
from tests.support.reuse import Bench, PlainLauncher, PlainModel, Stored, enter, reuse_service
from tests.support.serving import SERVICE_TOKEN, serve

ORDER = np.random.default_rng(0).permutation(64)
"""Where the task's columns stand in the learnwares' rows."""
LOW = range(5)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("storage")
    with serve(storage.build(StorageSettings(data_dir=folder / "data", service_token=SERVICE_TOKEN))) as served:
        low = enter(served, digits_package(folder, LOW))
        yield Stored(served.address, low=low, high="", private="", unverified="")


@pytest.fixture
def bench(tmp_path: Path, stored: Stored) -> Iterator[Bench]:
    launcher = PlainLauncher()
    launcher.gate.set()
    with reuse_service(tmp_path, stored, launcher) as bench:
        yield bench


def member(learnware_id: str, columns: int) -> pb.ReuserMember:
    matches = [types_pb2.ColumnMatch(task_column=i, learnware_column=int(ORDER[i])) for i in range(columns)]
    return pb.ReuserMember(learnware_id=learnware_id, columns=matches)


def reuser(bench: Bench, columns: int, task_columns: int, **request: object) -> pb.Reuser:
    made = bench.stub().CreateReuser(
        pb.CreateReuserRequest(
            members=[member(bench.stored.low, columns)],
            task_input=types_pb2.FeatureSpace(dimension=task_columns),
            **request,
        )
    )
    return bench.watch(made.reuser.reuser_id)[-1]


def test_rows_of_other_columns_are_answered_as_the_models_own(bench: Bench) -> None:
    rows = Digits.of(LOW, half=1).X[:30]
    made = reuser(bench, 64, 64)
    assert made.state == pb.REUSER_STATE_READY
    assert len(made.members[0].columns) == 64
    said = tensor_from_message(bench.predict(made.reuser_id, rows[:, ORDER]).outputs, "outputs")
    direct = PlainModel(tuple(LOW), {}, "direct").predict(rows)
    np.testing.assert_allclose(said, direct, atol=1e-6)


def test_columns_that_the_task_lacks_are_filled_also_after_a_restart(tmp_path: Path, stored: Stored) -> None:
    data = Digits.of(LOW, half=1)
    launcher = PlainLauncher()
    launcher.gate.set()
    with reuse_service(tmp_path, stored, launcher) as bench:
        made = reuser(bench, 40, 40)
        before = tensor_from_message(bench.predict(made.reuser_id, data.X[:, ORDER[:40]]).outputs, "outputs")
    assert (before.argmax(axis=1) == data.y).mean() > 0.8
    with reuse_service(tmp_path, stored, launcher) as bench:
        after = tensor_from_message(bench.predict(made.reuser_id, data.X[:, ORDER[:40]]).outputs, "outputs")
    np.testing.assert_array_equal(before, after)


def test_wrong_columns_are_refused_by_name(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as refused:
        bench.stub().CreateReuser(pb.CreateReuserRequest(members=[member(bench.stored.low, 4)]))
    assert refused.value.field == "task_input"
    with pytest.raises(InvalidInput) as refused:
        reuser(bench, 4, 2)
    assert refused.value.field == "task_column"
    made = reuser(bench, 64, 64)
    with pytest.raises(InvalidInput) as refused:
        bench.predict(made.reuser_id, np.zeros((2, 63)))
    assert refused.value.field == "rows"
