"""Reusers fitted on labelled rows, and reusers that sleep, through a real channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock.account import Role
from learndock.errors import InvalidInput, NotFound, Reason
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import tensor_from_message, tensor_to_message
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from tests.support.learnwares import Digits, digits_package
from tests.support.reuse import Bench, PlainLauncher, Stored, enter, reuse_service
from tests.support.serving import SERVICE_TOKEN, serve

LOW, HIGH = range(5), range(5, 10)
TRIES = 200


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("storage")
    with serve(storage.build(StorageSettings(data_dir=folder / "data", service_token=SERVICE_TOKEN))) as served:
        low, high = (enter(served, digits_package(folder, labels)) for labels in (LOW, HIGH))
        yield Stored(served.address, low=low, high=high, private="", unverified="")


@pytest.fixture
def launcher() -> PlainLauncher:
    launcher = PlainLauncher()
    launcher.gate.set()
    return launcher


@pytest.fixture
def bench(tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> Iterator[Bench]:
    with reuse_service(tmp_path, stored, launcher) as bench:
        yield bench


def labelled(count: int, labels: object = None) -> pb.LabelledRows:
    data = Digits.of(range(10), half=1)
    chosen = np.random.default_rng(0).permutation(len(data.y))[:count]  # neighbours are of one writer
    truth = data.y[chosen] if labels is None else np.asarray(labels)
    return pb.LabelledRows(rows=tensor_to_message(data.X[chosen]), labels=tensor_to_message(truth))


@pytest.mark.parametrize("strategy", [pb.STRATEGY_STACKING, pb.STRATEGY_ENSEMBLE_PRUNING, pb.STRATEGY_FEATURE_AUGMENT])
def test_strategies_that_learn(bench: Bench, strategy: pb.Strategy.ValueType) -> None:
    reuser = bench.prepared(bench.stored.low, bench.stored.high, strategy=strategy, labelled=labelled(60))
    assert reuser.state == pb.REUSER_STATE_READY
    assert reuser.strategy == strategy
    assert sum(reuser.contributions) == pytest.approx(1.0)
    assert "Shares:" in reuser.explanation
    assert not reuser.HasField("expected_error")


def test_labels_choose_auto_which_says_what_it_does(bench: Bench) -> None:
    reuser = bench.prepared(bench.stored.low, bench.stored.high, labelled=labelled(60))
    assert reuser.strategy == pb.STRATEGY_AUTO
    assert "AUTO took" in reuser.explanation
    assert len(reuser.contributions) == 2
    data = Digits.of(range(10), half=1)
    outputs = tensor_from_message(bench.predict(reuser.reuser_id, data.X).outputs, "outputs")
    error = (outputs.argmax(axis=1) != data.y).mean()
    assert error == pytest.approx(reuser.expected_error, abs=0.15)


def test_a_restart_learns_the_same_again(tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
    rows = Digits.of(range(10), half=1).X[:20]
    with reuse_service(tmp_path, stored, launcher) as bench:
        reuser = bench.prepared(stored.low, stored.high, strategy=pb.STRATEGY_STACKING, labelled=labelled(30))
        before = bench.predict(reuser.reuser_id, rows)
    with reuse_service(tmp_path, stored, launcher) as bench:
        assert bench.predict(reuser.reuser_id, rows) == before


def test_labels_must_be_there_and_fit(bench: Bench) -> None:
    members = [pb.ReuserMember(learnware_id=bench.stored.low)]
    for strategy, rows, reason in (
        (pb.STRATEGY_STACKING, None, Reason.STRATEGY_UNSUITABLE),
        (pb.STRATEGY_STACKING, pb.LabelledRows(labels=tensor_to_message(np.zeros(2))), Reason.SHAPE_MISMATCH),
        (pb.STRATEGY_STACKING, labelled(5, np.zeros(4)), Reason.SHAPE_MISMATCH),
        (pb.STRATEGY_STACKING, labelled(2, [0.0, np.nan]), Reason.NOT_FINITE),
    ):
        request = pb.CreateReuserRequest(strategy=strategy, members=members, labelled=rows)
        with pytest.raises(InvalidInput) as caught:
            bench.stub().CreateReuser(request)
        assert caught.value.reason is reason


def test_labels_that_only_the_models_can_refuse_fail_the_reuser(bench: Bench) -> None:
    reuser = bench.prepared(bench.stored.low, strategy=pb.STRATEGY_STACKING, labelled=labelled(3, [0.5, 1.0, 2.0]))
    assert reuser.state == pb.REUSER_STATE_FAILED
    assert "class index" in reuser.reason
    assert all(model.closed for model in bench.launcher.opened)


def test_rows_unlike_anything_known_are_told(bench: Bench) -> None:
    reuser = bench.prepared(bench.stored.low, bench.stored.high)
    rows = np.concatenate([Digits.of(range(10), half=1).X[:50], np.full((1, 64), 1000.0)])
    response = bench.predict(reuser.reuser_id, rows)
    if response.HasField("outside"):  # the packages may come without specifications
        outside = tensor_from_message(response.outside, "outside")
        assert outside[-1]
        assert outside[:50].mean() < 0.2


def test_an_idle_one_sleeps_and_wakes(tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
    rows = Digits.of(LOW, half=1).X[:3]
    with reuse_service(tmp_path, stored, launcher, sleep_seconds=0.2, expiry_interval_seconds=0.05) as bench:
        reuser_id = bench.prepared(stored.low).reuser_id
        before = bench.predict(reuser_id, rows)
        waiting = threading.Event()
        for _ in range(TRIES):
            if bench.stub().GetReuser(pb.GetReuserRequest(reuser_id=reuser_id)).reuser.asleep:
                break
            waiting.wait(0.05)
        assert launcher.opened[-1].closed
        assert bench.predict(reuser_id, rows) == before
        assert len(launcher.opened) > 1


def test_a_learnware_that_was_deleted_is_used_no_longer(tmp_path: Path, launcher: PlainLauncher) -> None:
    rows = Digits.of(LOW, half=1).X[:3]
    with serve(storage.build(StorageSettings(data_dir=tmp_path / "data", service_token=SERVICE_TOKEN))) as served:
        low = enter(served, digits_package(tmp_path, LOW))
        mine = Stored(served.address, low=low, high="", private="", unverified="")
        with reuse_service(tmp_path / "reuse", mine, launcher, recheck_seconds=0.0) as bench:
            reuser_id = bench.prepared(low).reuser_id
            bench.predict(reuser_id, rows)
            owner = StorageServiceStub(served.channel_as(Role.USER, "owner"))
            owner.DeleteLearnware(storage_pb.DeleteLearnwareRequest(learnware_id=low))
            with pytest.raises(NotFound):
                bench.predict(reuser_id, rows)
