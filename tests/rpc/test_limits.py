"""Places for calls, shared fairly; rates; and what is left when callers vanish, hurry, or send nonsense."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
import pytest

from learndock import errors
from learndock.account import ANONYMOUS, Principal, Role
from learndock.calls import CallingChannel, open_channel
from learndock.errors import Reason
from learndock.serving import caller, server
from learndock.serving.application import Application, Servicer
from learndock.serving.limits import FairPool, Rate, RateLimit
from learndock.status import from_rpc_error
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    StorageServiceStub,
    add_StorageServiceServicer_to_server,
)
from tests.support.patience import eventually
from tests.support.serving import Bearer, RoleTokens


class Gate(StorageServiceServicer):
    """Answers once it is opened; counts who is inside."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self._lock = threading.Lock()

    def GetLearnware(self, request: pb.GetLearnwareRequest, context: grpc.ServicerContext) -> pb.GetLearnwareResponse:
        with self._lock:
            self.inside += 1
        try:
            while not self.open.wait(0.01):
                caller.check_active()
        finally:
            with self._lock:
                self.inside -= 1
        return pb.GetLearnwareResponse()

    def GetVocabulary(
        self, request: pb.GetVocabularyRequest, context: grpc.ServicerContext
    ) -> pb.GetVocabularyResponse:
        return pb.GetVocabularyResponse()


@dataclass
class Gated:
    """A gate that is served."""

    gate: Gate
    channel: grpc.Channel

    def call(self, user: str) -> grpc.Future:  # type: ignore[name-defined]
        return StorageServiceStub(self.channel).GetLearnware.future(
            pb.GetLearnwareRequest(), metadata=(("authorization", f"Bearer USER:{user}"),), timeout=60
        )

    def stub(self, user: str) -> StorageServiceStub:
        return StorageServiceStub(CallingChannel(self.channel, Bearer(f"USER:{user}")))


@contextmanager
def gated(**terms: object) -> Iterator[Gated]:
    gate = Gate()
    servicer = Servicer("learndock.v1.StorageService", gate, add_StorageServiceServicer_to_server)
    running = server.start(
        [Application("gate", servicers=(servicer,))],
        listen="127.0.0.1:0",
        authenticator=RoleTokens(),
        terms=server.Terms(**terms),  # type: ignore[arg-type]
    )
    with open_channel(running.address) as channel:
        try:
            yield Gated(gate, channel)
        finally:
            gate.open.set()
            running.stop(1.0)


def refusal(call: grpc.Future) -> errors.LearndockError:  # type: ignore[name-defined]
    error = call.exception(timeout=60)
    assert isinstance(error, grpc.RpcError)
    return from_rpc_error(error)


def test_a_greedy_caller_leaves_room_and_is_told_when_to_come_again() -> None:
    with gated(threads=2, waiting=6) as dock:
        greedy = [dock.call("greedy") for _ in range(20)]
        assert eventually(lambda: sum(call.done() for call in greedy) == 16)
        refused = [refusal(call) for call in greedy if call.done()]
        assert {(type(e), e.reason) for e in refused} == {(errors.ResourceExhausted, Reason.TOO_MANY_REQUESTS)}
        assert all(e.retry_after for e in refused)
        others = [dock.call(f"other{i}") for i in range(3)]
        dock.gate.open.set()
        assert [call.result(timeout=60) for call in others] == [pb.GetLearnwareResponse()] * 3
        assert sum(call.exception(timeout=60) is None for call in greedy) == 4
        assert dock.call("greedy").result(timeout=60) == pb.GetLearnwareResponse(), "places are free again"


def test_health_is_answered_under_any_load() -> None:
    with gated(threads=2, waiting=2) as dock:
        waiting = [dock.call("greedy") for _ in range(2)]
        assert eventually(lambda: dock.gate.inside == 2)
        answer = health_pb2_grpc.HealthStub(dock.channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert not any(call.done() for call in waiting)


def test_shares_follow_the_number_of_callers() -> None:
    pool = FairPool(1, 12)
    stuck = threading.Event()
    shares = dict.fromkeys("abc", 0)
    for _ in range(12):
        for name in shares:
            if pool.admits(name, "/a/Call"):
                pool.submit(stuck.wait)
                shares[name] += 1
    assert max(shares.values()) - min(shares.values()) <= 1
    assert pool.admits("newcomer", "/a/Call")
    stuck.set()
    pool.shutdown()
    assert pool.taken == 0


def test_a_method_with_places_of_its_own_leaves_the_others_alone() -> None:
    pool = FairPool(1, 12, {"/a/Heavy": 3})
    stuck = threading.Event()
    heavy = 0
    for number in range(6):
        if pool.admits(f"user {number}", "/a/Heavy"):
            pool.submit(stuck.wait)
            heavy += 1
    assert heavy == 3
    assert pool.admits("user 9", "/a/Light")
    stuck.set()
    pool.shutdown()
    assert pool.taken == 0


def test_a_refusal_does_not_wait_for_the_request() -> None:
    with gated(threads=2, waiting=2) as dock:
        waiting = [dock.call("greedy") for _ in range(2)]
        assert eventually(lambda: dock.gate.inside == 2)
        never = dock.channel.stream_unary("/learndock.v1.StorageService/GetLearnware")
        sent = threading.Event()

        def request() -> Iterator[bytes]:
            sent.wait(60)
            yield b""

        refused = never.future(request(), metadata=(("authorization", "Bearer USER:greedy"),), timeout=60)
        assert refusal(refused).reason is Reason.TOO_MANY_REQUESTS
        sent.set()
        assert not any(call.done() for call in waiting)


def test_a_user_who_calls_too_often_is_told_for_how_long_to_wait() -> None:
    with gated(users=Rate(0.001, 3), anonymous=Rate(0.001, 2)) as dock:
        for user in ("ada", "bob"):
            for _ in range(3):
                dock.stub(user).GetVocabulary(pb.GetVocabularyRequest())
            with pytest.raises(errors.ResourceExhausted) as caught:
                dock.stub(user).GetVocabulary(pb.GetVocabularyRequest())
            assert caught.value.retry_after is not None
            assert 0 < caught.value.retry_after <= 1000
        anybody = StorageServiceStub(CallingChannel(dock.channel, Bearer("")))
        for _ in range(2):
            anybody.GetVocabulary(pb.GetVocabularyRequest())
        with pytest.raises(errors.ResourceExhausted):
            anybody.GetVocabulary(pb.GetVocabularyRequest())


def test_buckets_fill_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    limit = RateLimit(Rate(2.0, 4), Rate(1.0, 1))
    ada = Principal("1", "ada", Role.USER)
    generous = Principal("service", "search", Role.SERVICE)

    def admitted(principal: Principal, peer: str = "ipv4:10.0.0.1:1") -> int:
        for number in range(100):
            try:
                limit.take(principal, peer)
            except errors.ResourceExhausted:
                return number
        return 100

    assert admitted(ada) == 4
    clock[0] = 1.0
    assert admitted(ada) == 2
    clock[0] = 100.0
    assert admitted(ada) == 4
    assert admitted(generous) == 100
    assert admitted(ANONYMOUS) == 1
    assert admitted(ANONYMOUS, "ipv4:10.0.0.1:2") == 0, "an address has one bucket, whatever its port"
    assert admitted(ANONYMOUS, "ipv6:[::1]:2") == 1


def test_deadlines_are_capped() -> None:
    with gated(default_seconds=0.2, max_seconds=0.3) as dock:
        stub = StorageServiceStub(dock.channel)
        for timeout in (None, 50.0):
            with pytest.raises(grpc.RpcError) as caught:
                stub.GetLearnware(
                    pb.GetLearnwareRequest(), metadata=(("authorization", "Bearer USER:ada"),), timeout=timeout
                )
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
