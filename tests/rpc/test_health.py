"""Health that is watched while watchers come and go: every change arrives, and nobody's leaving stops the server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
import random
import threading

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
import pytest

from learndock.calls import open_channel
from learndock.serving import server
from learndock.serving.application import Application, Servicer
from learndock.v1.storage_service_pb2_grpc import StorageServiceServicer, add_StorageServiceServicer_to_server
from tests.support.serving import RoleTokens

SERVICE = "learndock.v1.StorageService"


@contextmanager
def serving() -> Iterator[server.RunningServer]:
    servicer = Servicer(SERVICE, StorageServiceServicer(), add_StorageServiceServicer_to_server)
    running = server.start(
        [Application("probe", servicers=(servicer,))], listen="127.0.0.1:0", authenticator=RoleTokens()
    )
    try:
        yield running
    finally:
        running.stop(1.0)


def test_a_watcher_is_told_of_every_change_and_of_the_end() -> None:
    with serving() as running, open_channel(running.address) as channel:
        watched = HealthStub(channel).Watch(HealthCheckRequest(service=SERVICE), timeout=60)
        told = [next(watched).status]
        for ready in (False, True):
            running.tell_ready(ready=ready)
            told.append(next(watched).status)
        running.tell_ready(ready=True)
        running.drain()
        running.tell_ready(ready=True)
        told.append(next(watched).status)
        serving_, not_serving = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
        assert told == [serving_, not_serving, serving_, not_serving]


def test_an_unknown_service_is_told_apart() -> None:
    with serving() as running, open_channel(running.address) as channel:
        stub, unknown = HealthStub(channel), HealthCheckRequest(service="nobody")
        with pytest.raises(grpc.RpcError) as refused:
            stub.Check(unknown, timeout=60)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND
        assert next(stub.Watch(unknown, timeout=60)).status == HealthCheckResponse.SERVICE_UNKNOWN


def test_watchers_may_leave_while_others_come_and_are_told() -> None:
    ended = threading.Event()
    with serving() as running:

        def change() -> None:
            ready = False
            while not ended.is_set():
                running.tell_ready(ready=ready)
                ready = not ready

        def watch(seed: int) -> int:
            pace = random.Random(seed)
            for _ in range(40):
                with open_channel(running.address) as channel:
                    watched = HealthStub(channel).Watch(HealthCheckRequest(service=SERVICE), timeout=60)
                    for _ in range(pace.randrange(4)):
                        next(watched)
            return seed

        changing = threading.Thread(target=change, daemon=True)
        changing.start()
        with ThreadPoolExecutor(8) as watchers:
            assert list(watchers.map(watch, range(8))) == list(range(8))
        ended.set()
        changing.join(60)
        assert not changing.is_alive()
