"""ReuseService on real channels, before a real storage service; models run as plain Python instead of in sandboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import queue
import threading

import numpy as np
import pytest

from learndock.account import Role
from learndock.errors import (
    FailedPrecondition,
    InvalidInput,
    LearndockError,
    NotFound,
    Reason,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from learndock.sandbox.faults import FaultKind
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.wire import tensor_from_message, tensor_to_message
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from tests.support.learnwares import Digits, digits_package
from tests.support.reuse import Bench, PlainLauncher, PlainModel, Rows, Stored, enter, reuse_service
from tests.support.serving import SERVICE_TOKEN, serve

LOW, HIGH = range(5), range(5, 10)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("storage")
    settings = StorageSettings(data_dir=folder / "data", service_token=SERVICE_TOKEN)
    with serve(storage.build(settings)) as served:
        yield Stored(
            served.address,
            low=enter(served, digits_package(folder, LOW)),
            high=enter(served, digits_package(folder, HIGH)),
            private=enter(served, digits_package(folder, range(3)), visibility=types_pb2.VISIBILITY_PRIVATE),
            unverified=enter(served, digits_package(folder, range(4)), verified=False),
        )


@pytest.fixture
def launcher() -> PlainLauncher:
    launcher = PlainLauncher()
    launcher.gate.set()
    return launcher


@pytest.fixture
def bench(tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> Iterator[Bench]:
    with reuse_service(tmp_path, stored, launcher) as bench:
        yield bench


def refusal(call: object, *arguments: object) -> LearndockError:
    with pytest.raises(LearndockError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value


def by_name(bench: Bench, name: str) -> PlainModel:
    return next(model for model in bench.launcher.opened if model.name == name)


class TestLife:
    def test_from_creation_to_deletion(self, bench: Bench) -> None:
        made = bench.create(bench.stored.low, bench.stored.high)
        assert made.state == pb.REUSER_STATE_PREPARING
        assert made.strategy == pb.STRATEGY_JOB_SELECTOR
        assert [member.weight for member in made.members] == [0.5, 0.5]
        assert [member.version for member in made.members] == [1, 1]

        seen = bench.watch(made.reuser_id)
        assert seen[-1].state == pb.REUSER_STATE_READY
        assert seen[-1].percent == 100
        assert [reuser.state for reuser in seen[:-1]] == [pb.REUSER_STATE_PREPARING] * (len(seen) - 1)

        users = Digits.of(range(10), half=1)
        response = bench.predict(made.reuser_id, users.X)
        labels = tensor_from_message(response.outputs, "outputs").argmax(axis=1)
        assert (labels == users.y).mean() > 0.9
        assert set(tensor_from_message(response.member_index, "member_index").tolist()) == {0, 1}
        assert not response.degraded

        listed = bench.stub().ListReusers(pb.ListReusersRequest()).reusers
        assert [reuser.reuser_id for reuser in listed] == [made.reuser_id]
        bench.stub().DeleteReuser(pb.DeleteReuserRequest(reuser_id=made.reuser_id))
        assert all(model.closed for model in bench.launcher.opened)
        assert isinstance(refusal(bench.watch, made.reuser_id), NotFound)

    def test_one_member_answers_exactly_as_its_model(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        assert reuser.strategy == pb.STRATEGY_TOP1
        rows = Digits.of(LOW, half=1).X
        outputs = tensor_from_message(bench.predict(reuser.reuser_id, rows).outputs, "outputs")
        assert np.array_equal(outputs, bench.launcher.opened[0].predict(rows))

    def test_average_of_both(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low, bench.stored.high, strategy=pb.STRATEGY_AVERAGE)
        response = bench.predict(reuser.reuser_id, Digits.of(LOW, half=1).X[:3])
        assert tensor_from_message(response.outputs, "outputs").sum(axis=1) == pytest.approx(np.ones(3))
        assert tensor_from_message(response.member_index, "member_index").tolist() == [-1, -1, -1]

    def test_classes_that_hardly_occur_are_held_back_where_asked(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low, bench.stored.high, strategy=pb.STRATEGY_AVERAGE)
        task = Digits.of([1, 7], half=1)
        request = pb.PredictRequest(reuser_id=reuser.reuser_id, rows=tensor_to_message(task.X))
        plain = tensor_from_message(bench.stub().Predict(request).outputs, "outputs")
        request.hold_back_rare_classes = True
        held_back = tensor_from_message(bench.stub().Predict(request).outputs, "outputs")
        assert held_back.sum(axis=1) == pytest.approx(np.ones(len(task.X)))
        right = [(outputs.argmax(axis=1) == task.y).mean() for outputs in (plain, held_back)]
        assert right[0] < right[1]
        few = bench.predict(reuser.reuser_id, task.X[:3])
        assert tensor_from_message(few.outputs, "outputs") == pytest.approx(plain[:3])

    def test_a_stream_answers_in_order(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        rows = Digits.of(LOW, half=1).X[:6]
        batches = [
            pb.PredictStreamRequest(reuser_id=reuser.reuser_id if first == 0 else "", rows=tensor_to_message(part))
            for first, part in enumerate([rows[:1], rows[1:3], rows[3:]])
        ]
        answers = [tensor_from_message(a.outputs, "outputs") for a in bench.stub().PredictStream(iter(batches))]
        assert [len(answer) for answer in answers] == [1, 2, 3]
        whole = tensor_from_message(bench.predict(reuser.reuser_id, rows).outputs, "outputs")
        assert np.concatenate(answers) == pytest.approx(whole)

    def test_a_restart_keeps_it(self, tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
        rows = Digits.of(range(10), half=1).X[:20]
        with reuse_service(tmp_path, stored, launcher) as bench:
            reuser = bench.prepared(stored.low, stored.high)
            before = bench.predict(reuser.reuser_id, rows)
        opened = len(launcher.opened)
        assert all(model.closed for model in launcher.opened)
        with reuse_service(tmp_path, stored, launcher) as bench:
            found = bench.stub().GetReuser(pb.GetReuserRequest(reuser_id=reuser.reuser_id)).reuser
            assert found.asleep
            found.asleep = False
            assert found == reuser
            assert len(launcher.opened) == opened
            assert bench.predict(reuser.reuser_id, rows) == before
            assert len(launcher.opened) > opened

    def test_a_restart_goes_on_preparing(self, tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
        stuck = PlainLauncher()
        with reuse_service(tmp_path, stored, stuck) as bench:
            reuser_id = bench.create(stored.low).reuser_id
        with reuse_service(tmp_path, stored, launcher) as bench:
            assert bench.watch(reuser_id)[-1].state == pb.REUSER_STATE_READY
        stuck.gate.set()

    def test_an_unused_one_is_forgotten(self, tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
        with reuse_service(tmp_path, stored, launcher, idle_seconds=0.3, expiry_interval_seconds=0.05) as bench:
            reuser_id = bench.create(stored.low).reuser_id
            expired = threading.Event()
            for _ in range(600):
                try:
                    bench.stub().GetReuser(pb.GetReuserRequest(reuser_id=reuser_id))
                except NotFound:
                    break
                expired.wait(0.05)
            assert isinstance(refusal(bench.watch, reuser_id), NotFound)

    def test_repeating_a_request_has_one_effect(self, bench: Bench) -> None:
        first = bench.create(bench.stored.low, request_id="once")
        assert bench.create(bench.stored.low, request_id="once").reuser_id == first.reuser_id
        assert len(bench.stub().ListReusers(pb.ListReusersRequest()).reusers) == 1

    def test_pages_go_from_the_newest_to_the_oldest(self, bench: Bench) -> None:
        made = [bench.create(bench.stored.low).reuser_id for _ in range(3)]
        first = bench.stub().ListReusers(pb.ListReusersRequest(page_size=2))
        second = bench.stub().ListReusers(pb.ListReusersRequest(page_size=2, page_token=first.next_page_token))
        assert [reuser.reuser_id for reuser in (*first.reusers, *second.reusers)] == made[::-1]
        assert not second.next_page_token


class TestAccess:
    def test_another_user_finds_nothing(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        other, request = bench.stub("other"), pb.GetReuserRequest(reuser_id=reuser.reuser_id)
        rows = Digits.of(LOW, half=1).X[:1]
        assert isinstance(refusal(other.GetReuser, request), NotFound)
        assert isinstance(refusal(bench.predict, reuser.reuser_id, rows, "other"), NotFound)
        assert isinstance(refusal(other.DeleteReuser, pb.DeleteReuserRequest(reuser_id=reuser.reuser_id)), NotFound)
        assert not other.ListReusers(pb.ListReusersRequest()).reusers
        assert not bench.predict(reuser.reuser_id, rows).degraded

    def test_nor_with_the_owners_page_token(self, bench: Bench) -> None:
        for _ in range(2):
            bench.create(bench.stored.low)
        token = bench.stub().ListReusers(pb.ListReusersRequest(page_size=1)).next_page_token
        error = refusal(bench.stub("other").ListReusers, pb.ListReusersRequest(page_token=token))
        assert error.reason is Reason.PAGE_TOKEN_INVALID

    def test_anonymous_callers_are_refused(self, bench: Bench) -> None:
        stub = ReuseServiceStub(bench.served.channel_as(Role.ANONYMOUS, ""))
        assert isinstance(refusal(stub.ListReusers, pb.ListReusersRequest()), Unauthenticated)

    def test_only_what_is_verified_and_visible_can_be_reused(self, bench: Bench) -> None:
        for learnware_id in (bench.stored.private, bench.stored.unverified, "99999999"):
            assert isinstance(refusal(bench.create, bench.stored.low, learnware_id), NotFound)
        assert not bench.stub().ListReusers(pb.ListReusersRequest()).reusers

    def test_the_owner_of_a_private_learnware_can(self, bench: Bench) -> None:
        request = pb.CreateReuserRequest(members=[pb.ReuserMember(learnware_id=bench.stored.private)])
        assert bench.stub("owner").CreateReuser(request).reuser.reuser_id


class TestBadInput:
    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            (np.zeros((2, 63)), Reason.SHAPE_MISMATCH),
            (np.zeros((2, 8, 8)), Reason.SHAPE_MISMATCH),
            (np.zeros(64), Reason.SHAPE_MISMATCH),
            (np.zeros((0, 64)), Reason.SHAPE_MISMATCH),
            (np.zeros((65_537, 0)), Reason.SHAPE_MISMATCH),
            (np.full((2, 64), np.nan), Reason.NOT_FINITE),
        ],
        ids=["too narrow", "an image", "one axis", "no row", "too many rows", "NaN"],
    )
    def test_rows(self, bench: Bench, rows: Rows, reason: Reason) -> None:
        reuser = bench.prepared(bench.stored.low)
        error = refusal(bench.predict, reuser.reuser_id, rows)
        assert (type(error), error.reason, error.field) == (InvalidInput, reason, "rows")

    def test_a_tensor_whose_bytes_are_too_few(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        rows = types_pb2.Tensor(dtype=types_pb2.DATA_TYPE_FLOAT64, shape=[2, 64], data=b"\0" * 8)
        error = refusal(bench.stub().Predict, pb.PredictRequest(reuser_id=reuser.reuser_id, rows=rows))
        assert (error.reason, error.field) == (Reason.SHAPE_MISMATCH, "rows.data")

    def test_texts_where_rows_are_taken(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        request = pb.PredictRequest(reuser_id=reuser.reuser_id, texts=types_pb2.TextBatch(values=["a"]))
        assert refusal(bench.stub().Predict, request).field == "rows"

    @pytest.mark.parametrize(
        ("weights", "field"),
        [([], "members"), ([1.0] * 17, "members"), ([1.0, 0.0], "members[1].weight"), ([-1.0], "members[0].weight")],
    )
    def test_members(self, bench: Bench, weights: list[float], field: str) -> None:
        members = [pb.ReuserMember(learnware_id=bench.stored.low, weight=weight) for weight in weights]
        assert refusal(bench.stub().CreateReuser, pb.CreateReuserRequest(members=members)).field == field

    def test_an_unknown_strategy(self, bench: Bench) -> None:
        error = refusal(lambda: bench.create(bench.stored.low, strategy=99))
        assert (error.reason, error.field) == (Reason.FIELD_INVALID, "strategy")

    def test_not_ready(self, bench: Bench) -> None:
        bench.launcher.gate.clear()
        made = bench.create(bench.stored.low)
        error = refusal(bench.predict, made.reuser_id, np.zeros((1, 64)))
        bench.launcher.gate.set()
        assert isinstance(error, FailedPrecondition)
        assert error.reason is Reason.REUSER_NOT_READY
        assert error.retry_after

    def test_too_many(self, tmp_path: Path, stored: Stored, launcher: PlainLauncher) -> None:
        with reuse_service(tmp_path, stored, launcher, max_reusers_per_user=2, max_reusers=3) as bench:
            kept = [bench.create(stored.low).reuser_id for _ in range(2)]
            error = refusal(bench.create, stored.low)
            assert (type(error), error.reason) == (ResourceExhausted, Reason.TOO_MANY_REUSERS)
            request = pb.CreateReuserRequest(members=[pb.ReuserMember(learnware_id=stored.low)])
            bench.stub("second").CreateReuser(request)
            assert refusal(bench.stub("third").CreateReuser, request).reason is Reason.TOO_MANY_REUSERS
            bench.stub().DeleteReuser(pb.DeleteReuserRequest(reuser_id=kept[0]))
            assert bench.create(stored.low).reuser_id


class TestFailingMembers:
    def test_one_that_cannot_be_loaded_is_left_out(self, bench: Bench) -> None:
        bench.launcher.broken.add("digits_01234")
        reuser = bench.prepared(bench.stored.low, bench.stored.high)
        assert reuser.state == pb.REUSER_STATE_READY
        assert [fault.learnware_id for fault in reuser.faults] == [bench.stored.low]
        response = bench.predict(reuser.reuser_id, Digits.of(HIGH, half=1).X[:4])
        assert response.degraded
        assert tensor_from_message(response.member_index, "member_index").tolist() == [1, 1, 1, 1]

    def test_none_that_can_be_loaded_is_a_failure(self, bench: Bench) -> None:
        bench.launcher.broken |= {"digits_01234", "digits_56789"}
        reuser = bench.prepared(bench.stored.low, bench.stored.high)
        assert reuser.state == pb.REUSER_STATE_FAILED
        assert "digits_01234 cannot be loaded" in reuser.reason
        error = refusal(bench.predict, reuser.reuser_id, np.zeros((1, 64)))
        assert error.reason is Reason.REUSER_NOT_READY

    def test_one_that_fails_midway_hands_its_rows_on(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low, bench.stored.high)
        rows = Digits.of(range(10), half=1).X[:40]
        bench.launcher.faults["digits_01234"] = FaultKind.RAISED
        response = bench.predict(reuser.reuser_id, rows)
        assert response.degraded
        assert [fault.message for fault in response.faults] == ["digits_01234 failed"]
        assert set(tensor_from_message(response.member_index, "member_index").tolist()) == {1}
        assert not bench.predict(reuser.reuser_id, rows).degraded

    def test_one_that_dies_in_the_middle_of_a_stream_is_left_out_until_it_is_back(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low, bench.stored.high)
        rows = Digits.of(range(10), half=1).X[:40]
        high_alone = by_name(bench, "digits_56789").predict(rows)
        batches: queue.SimpleQueue[pb.PredictStreamRequest | None] = queue.SimpleQueue()
        answers = bench.stub().PredictStream(iter(batches.get, None))

        def answer(reuser_id: str = "") -> pb.PredictStreamResponse:
            batches.put(pb.PredictStreamRequest(reuser_id=reuser_id, rows=tensor_to_message(rows)))
            return next(answers)

        whole = answer(reuser.reuser_id)
        assert not whole.degraded
        bench.launcher.broken.add("digits_01234")  # it cannot be started again, either
        by_name(bench, "digits_01234").close()
        left = answer()
        assert [fault.learnware_id for fault in left.faults] == [bench.stored.low]
        assert tensor_from_message(left.outputs, "outputs") == pytest.approx(high_alone)
        bench.launcher.broken.clear()
        again = answer()
        assert not again.degraded
        assert again.outputs == whole.outputs
        batches.put(None)
        assert not list(answers)

    def test_a_dead_sandbox_is_started_again(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low)
        bench.launcher.faults["digits_01234"] = FaultKind.EXITED
        response = bench.predict(reuser.reuser_id, Digits.of(LOW, half=1).X[:4])
        assert not response.degraded
        assert len(bench.launcher.opened) == 2

    def test_all_failing_is_an_error(self, bench: Bench) -> None:
        reuser = bench.prepared(bench.stored.low, bench.stored.high)
        bench.launcher.broken |= {"digits_01234", "digits_56789"}
        for model in bench.launcher.opened:
            model.close()
        error = refusal(bench.predict, reuser.reuser_id, Digits.of(range(10), half=1).X[:40])
        assert (type(error), error.reason) == (Unavailable, Reason.NO_MEMBER_LEFT)
