"""Predictions from a reuser in the dock: readiness, batches, breaks, labels."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

import learndock
from learndock.client.dock_reuse import together
from learndock.client.values import Member, Strategy
from learndock.errors import FailedPrecondition, InvalidInput, NotFound, Reason, Unavailable
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import reuse_service_pb2_grpc, storage_service_pb2, storage_service_pb2_grpc, types_pb2
from learndock.wire import tensor_from_message, tensor_to_message
from tests.support.bare_server import bare_server, fail, registered


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """Knows one learnware."""

    def __init__(self) -> None:
        self.task = "Classification"

    def GetLearnware(
        self, request: storage_service_pb2.GetLearnwareRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.GetLearnwareResponse:
        version = types_pb2.LearnwareVersion(version=1, state=types_pb2.VERSION_STATE_VERIFIED)
        semantic = types_pb2.SemanticSpecification(task=self.task, output=types_pb2.FeatureSpace(dimension=3))
        return storage_service_pb2.GetLearnwareResponse(
            learnware=types_pb2.Learnware(
                learnware_id=request.learnware_id, current_version=version, semantic_specification=semantic
            )
        )


class Reuse(reuse_service_pb2_grpc.ReuseServiceServicer):
    """Adds up each row, or tells probabilities, and breaks streams as often as a test says."""

    def __init__(self) -> None:
        self.created: list[pb.CreateReuserRequest] = []
        self.deleted: list[str] = []
        self.states = [pb.REUSER_STATE_PREPARING, pb.REUSER_STATE_READY]
        self.probabilities = False
        self.sureness = 1.0
        self.batches: list[int] = []
        self.breaks = 0
        self.error = Unavailable(Reason.SERVICE_UNAVAILABLE, "broken")

    def CreateReuser(self, request: pb.CreateReuserRequest, context: grpc.ServicerContext) -> pb.CreateReuserResponse:
        self.created.append(request)
        return pb.CreateReuserResponse(reuser=self._reuser(pb.REUSER_STATE_PREPARING))

    def WatchReuser(
        self, request: pb.WatchReuserRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchReuserResponse]:
        for state in self.states:
            yield pb.WatchReuserResponse(reuser=self._reuser(state))

    def DeleteReuser(self, request: pb.DeleteReuserRequest, context: grpc.ServicerContext) -> pb.DeleteReuserResponse:
        if request.reuser_id in self.deleted:
            fail(context, NotFound(Reason.RESOURCE_UNKNOWN, "gone"))
        self.deleted.append(request.reuser_id)
        return pb.DeleteReuserResponse()

    def PredictStream(
        self, request_iterator: Iterator[pb.PredictStreamRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.PredictStreamResponse]:
        for number, request in enumerate(request_iterator):
            assert number > 0 or request.reuser_id == "r1"
            if self.breaks and number == 1:
                self.breaks -= 1
                fail(context, self.error)
            yield self._answer(request)

    def _answer(self, request: pb.PredictStreamRequest) -> pb.PredictStreamResponse:
        if request.WhichOneof("inputs") == "texts":
            outputs = np.array([len(text) for text in request.texts.values])
        else:
            outputs = tensor_from_message(request.rows, "rows").sum(axis=1)
        self.batches.append(len(outputs))
        if self.probabilities:
            outputs = self.sureness * np.eye(3)[outputs.astype(int) % 3] + (1 - self.sureness) / 3
        index = np.zeros(len(outputs), dtype=np.int32)
        return pb.PredictStreamResponse(
            outputs=tensor_to_message(outputs),
            member_index=tensor_to_message(index),
            degraded=True,
            faults=[pb.MemberFault(learnware_id="00000002", message="raised")],
        )

    def _reuser(self, state: pb.ReuserState.ValueType) -> pb.Reuser:
        return pb.Reuser(
            reuser_id="r1",
            strategy=pb.STRATEGY_TOP1,
            state=state,
            reason="it exploded" if state == pb.REUSER_STATE_FAILED else "",
            members=[pb.ReuserMember(learnware_id="00000001", version=1, weight=1.0)],
        )


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def service() -> Reuse:
    return Reuse()


@pytest.fixture
def dock(service: Reuse, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[learndock.Dock]:
    monkeypatch.setattr("learndock.client.patience.time.sleep", lambda _seconds: None)
    registers = (
        registered(reuse_service_pb2_grpc.add_ReuseServiceServicer_to_server, service),
        registered(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, storage),
    )
    with bare_server(*registers) as address, learndock.Dock(address, "x") as connected:
        yield connected


def test_members_and_strategy_are_sent_and_the_reuser_is_deleted(dock: learndock.Dock, service: Reuse) -> None:
    told: list[str] = []
    members = ["00000001", Member("00000002", 3, 0.25)]
    with dock.reuse(
        members, strategy=Strategy.AVERAGE, progress=lambda reuser: told.append(reuser.state.value)
    ) as reuser:
        assert "TOP1 of 00000001" in repr(reuser)
        assert service.deleted == []
    request = service.created[0]
    assert request.strategy == pb.STRATEGY_AVERAGE
    assert [(m.learnware_id, m.version, m.weight) for m in request.members] == [
        ("00000001", 0, 1.0),
        ("00000002", 3, 0.25),
    ]
    assert told == ["PREPARING", "READY"]
    assert service.deleted == ["r1"]
    reuser.close()


def test_large_inputs_go_in_batches_and_come_back_in_order(
    dock: learndock.Dock, service: Reuse, storage: Storage
) -> None:
    storage.task = "Regression"
    rows = np.random.default_rng(0).normal(size=(9000, 40))
    with dock.reuse("00000001") as reuser:
        np.testing.assert_allclose(reuser.fit().predict(rows), rows.sum(axis=1))
        with pytest.raises(InvalidInput):
            reuser.predict_proba(rows[:3])
    assert len(service.batches) > 2
    assert max(service.batches) * 40 * 8 <= 2**20


def test_a_broken_stream_goes_on_at_the_first_missing_batch(
    dock: learndock.Dock, service: Reuse, storage: Storage
) -> None:
    storage.task = "Regression"
    service.breaks = 2
    rows = np.arange(30_000.0).reshape(-1, 3)
    with dock.reuse("00000001") as reuser:
        np.testing.assert_allclose(reuser.predict(rows), rows.sum(axis=1))
    assert sum(service.batches) == len(rows)


def test_that_no_member_is_left_is_not_tried_again(dock: learndock.Dock, service: Reuse) -> None:
    service.breaks, service.error = 1, Unavailable(Reason.NO_MEMBER_LEFT, "all failed")
    with dock.reuse("00000001") as reuser, pytest.raises(Unavailable, match="all failed"):
        reuser.predict(np.ones((9000, 2)))


def test_labels_and_probabilities(dock: learndock.Dock, service: Reuse) -> None:
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    with dock.reuse("00000001") as reuser:
        labels = reuser.predict(rows)
        assert labels.dtype == np.int64
        assert labels.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(reuser.predict_proba(rows), np.eye(3))
        service.probabilities = True
        assert reuser.predict(rows).tolist() == [0, 1, 2]
        np.testing.assert_array_equal(reuser.predict_proba(rows), np.eye(3))
        answer = reuser.answer(rows)
    assert answer.outputs.shape == (3, 3)
    assert answer.degraded
    assert answer.faults[0].learnware_id == "00000002"


def test_classes_that_do_not_occur_are_held_back(dock: learndock.Dock, service: Reuse) -> None:
    service.probabilities, service.sureness = True, 0.5
    task = np.zeros((500, 1))
    plain = np.full(3, 1 / 6)
    plain[2] += 1 / 2
    with dock.reuse("00000001", unlabelled=task) as reuser:
        assert service.batches == [500]
        share = np.array([501, 1, 1]) / 501
        factors = share / (share + 0.05)
        np.testing.assert_allclose(reuser.predict_proba([[2.0]]), [plain * factors / (plain * factors).sum()])
        assert reuser.predict([[2.0]]) == [0]
        answer = reuser.adapt(np.arange(300.0).reshape(-1, 1))
        np.testing.assert_allclose(answer.outputs[2], plain)
        np.testing.assert_allclose(reuser.predict_proba([[2.0]]), [plain])


def test_rows_of_a_regression_are_not_sent_twice(dock: learndock.Dock, service: Reuse, storage: Storage) -> None:
    storage.task = "Regression"
    with dock.reuse("00000001", unlabelled=np.ones((5, 2))) as reuser:
        assert service.batches == []
        assert reuser.predict(np.ones((5, 2))).tolist() == [2.0] * 5


def test_texts_are_sent_as_texts(dock: learndock.Dock) -> None:
    with dock.reuse("00000001") as reuser:
        assert reuser.predict(["", "a", "bb"]).tolist() == [0, 1, 2]


def test_no_rows_are_refused_here(dock: learndock.Dock) -> None:
    with dock.reuse("00000001") as reuser, pytest.raises(InvalidInput, match="no rows"):
        reuser.predict(np.zeros((0, 2)))


def test_a_failed_reuser_is_told_and_deleted(dock: learndock.Dock, service: Reuse) -> None:
    service.states = [pb.REUSER_STATE_FAILED]
    with pytest.raises(FailedPrecondition, match="it exploded"):
        dock.reuse("00000001")
    assert service.deleted == ["r1"]


def test_batches_that_came_in_another_form_are_joined() -> None:
    probabilities, labels = np.array([[0.2, 0.8]]), np.array([1, 0])
    assert together([probabilities, labels]).tolist() == [[0.2, 0.8], [0.0, 1.0], [1.0, 0.0]]
    assert together([labels, probabilities]).tolist() == [[0.0, 1.0], [1.0, 0.0], [0.2, 0.8]]
    assert together([np.ones(2), np.zeros((1, 1))]).tolist() == [1.0, 1.0, 0.0]
    assert together([np.zeros((1, 1)), np.ones(2)]).tolist() == [[0.0], [1.0], [1.0]]
    assert together([np.ones((2, 3))]).shape == (2, 3)
