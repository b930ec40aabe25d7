"""How a client behaves towards several replicas, old connections, failures and proxies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
import pytest

import learndock
from learndock import calls, errors
from learndock.calls import CallingChannel, open_channel
from learndock.errors import Reason, Unavailable
from learndock.serving import server
from learndock.serving.application import Application, Servicer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    StorageServiceStub,
    add_StorageServiceServicer_to_server,
)
from tests.support.connect_proxy import connect_proxy
from tests.support.serving import Bearer, RoleTokens
from tests.support.tcp_proxy import tcp_proxy


class Counting(StorageServiceServicer):
    """Counts its callers, and fails the first so many times."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self.peers: Counter[str] = Counter()
        self._failures = failures

    def ListLearnwares(
        self, request: pb.ListLearnwaresRequest, context: grpc.ServicerContext
    ) -> pb.ListLearnwaresResponse:
        self._count(context)
        return pb.ListLearnwaresResponse()

    def DeleteLearnware(
        self, request: pb.DeleteLearnwareRequest, context: grpc.ServicerContext
    ) -> pb.DeleteLearnwareResponse:
        self._count(context)
        return pb.DeleteLearnwareResponse()

    def _count(self, context: grpc.ServicerContext) -> None:
        self.calls += 1
        self.peers[context.peer()] += 1
        if self.calls <= self._failures:
            raise Unavailable(Reason.SERVICE_UNAVAILABLE, "not now")


@contextmanager
def counting(servicer: Counting, **terms: object) -> Iterator[server.RunningServer]:
    application = Application(
        "counting",
        servicers=(Servicer("learndock.v1.StorageService", servicer, add_StorageServiceServicer_to_server),),
    )
    running = server.start(
        [application],
        listen="127.0.0.1:0",
        authenticator=RoleTokens(),
        terms=server.Terms(**terms),  # type: ignore[arg-type]
    )
    try:
        yield running
    finally:
        running.stop(1.0)


def stub_at(address: str, stack: ExitStack) -> StorageServiceStub:
    channel = stack.enter_context(open_channel(address))
    return StorageServiceStub(CallingChannel(channel, Bearer("USER:ada")))


def test_calls_go_to_replicas_in_turn_and_past_one_that_is_gone() -> None:
    first, second = Counting(), Counting()
    with ExitStack() as stack:
        one, two = (stack.enter_context(counting(each)) for each in (first, second))
        stub = stub_at(f"{one.address},{two.address}", stack)
        for _ in range(200):
            stub.ListLearnwares(pb.ListLearnwaresRequest())
        assert first.calls + second.calls == 200
        assert min(first.calls, second.calls) > 50
        one.stop(1.0)
        for _ in range(50):
            stub.ListLearnwares(pb.ListLearnwaresRequest())
        assert first.calls + second.calls == 250


def test_safe_methods_are_tried_again_and_others_are_not() -> None:
    with ExitStack() as stack:
        safe, unsafe = Counting(failures=2), Counting(failures=1)
        stub_at(stack.enter_context(counting(safe)).address, stack).ListLearnwares(pb.ListLearnwaresRequest())
        assert safe.calls == 3
        once = stub_at(stack.enter_context(counting(unsafe)).address, stack)
        with pytest.raises(errors.Unavailable):
            once.DeleteLearnware(pb.DeleteLearnwareRequest())
        assert unsafe.calls == 1


def test_retries_end() -> None:
    with ExitStack() as stack:
        never = Counting(failures=10**6)
        stub = stub_at(stack.enter_context(counting(never)).address, stack)
        with pytest.raises(errors.Unavailable):
            stub.ListLearnwares(pb.ListLearnwaresRequest())
        assert never.calls == 5


def test_old_connections_are_left_without_a_failed_call() -> None:
    servicer = Counting()
    with ExitStack() as stack:
        stub = stub_at(stack.enter_context(counting(servicer, connection_seconds=0.5)).address, stack)
        for _ in range(400):
            stub.ListLearnwares(pb.ListLearnwaresRequest())
            time.sleep(0.005)
            if len(servicer.peers) > 1:
                break
        assert len(servicer.peers) > 1
        assert sum(servicer.peers.values()) == servicer.calls


def test_a_peer_that_falls_silent_is_noticed_by_keepalive(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_KEEPALIVE_MS", "_KEEPALIVE_TIMEOUT_MS"):
        monkeypatch.setattr(calls, name, 500)
    with counting(Counting()) as running, tcp_proxy(running.address) as proxy, open_channel(proxy.address) as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        silent = threading.Event()

        def withhold(_: bytes) -> bytes:
            silent.wait(60)
            return b""

        proxy.change = withhold
        with pytest.raises(grpc.RpcError) as caught:
            next(watched)
        silent.set()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_quiet_stream_is_not_cut_off_for_its_keepalive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MIN_PING_MS", 100)
    options = [("grpc.keepalive_time_ms", 300), ("grpc.http2.max_pings_without_data", 0)]  # quick, and without a pause
    with counting(Counting()) as running, grpc.insecure_channel(running.address, options=options) as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=4)
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(watched)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_client_goes_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    servicer = Counting()
    with counting(servicer) as running, connect_proxy() as proxy:
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("grpc_proxy", f"http://{proxy.address}")
        with learndock.Dock(running.address, "USER:ada") as dock:
            assert not list(dock.list())
        assert proxy.asked == [running.address]
    assert servicer.calls == 1
