"""Deadlines from a millisecond, a thousand calls given up, messages and metadata beyond all bounds, unknown enums.

Every one gets the right code, and nothing is left of it: no place, thread, call in flight or connection.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path
import threading

import grpc
import numpy as np
import pytest

from learndock import errors
from learndock.account import Role
from learndock.errors import Reason
from learndock.serving import telemetry
from learndock.status import from_rpc_error
from learndock.v1 import identity_service_pb2 as identity_pb
from learndock.v1 import reuse_service_pb2 as reuse_pb
from learndock.v1 import search_service_pb2 as search_pb
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as validator_pb
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub
from learndock.wire import tensor_to_message
from tests.support.every_service import EveryService, every_service
from tests.support.patience import eventually
from tests.support.storage import package

_CALLERS = 16
ROUNDS = int(os.environ.get("LEARNDOCK_TEST_CANCELLATIONS", "1000"))
OWNER = (("authorization", "Bearer USER:owner"),)


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryService]:
    with every_service(tmp_path_factory.mktemp("hurried")) as running:
        running.private_learnware(package("one"))
        yield running


@pytest.fixture(autouse=True)
def nothing_leaks(dock: EveryService) -> Iterator[None]:
    stub = StorageServiceStub(dock.served.channel_as(Role.USER, "owner"))
    stub.ListLearnwares(pb.ListLearnwaresRequest())
    threads, descriptors = threading.active_count(), open_files()
    yield
    assert eventually(lambda: not in_flight()), in_flight()
    stub.ListLearnwares(pb.ListLearnwaresRequest())
    # The pools may have grown to their bounds; a leak of a thread or file for each call would be hundreds.
    assert threading.active_count() <= threads + 70
    assert open_files() <= descriptors + 70


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def in_flight() -> dict[str, float]:
    """Calls that are being answered, streams that stay open by nature left out."""
    found = {
        sample.labels["method"]: sample.value for metric in telemetry.IN_FLIGHT.collect() for sample in metric.samples
    }
    return {method: value for method, value in found.items() if value and not method.endswith("/WatchChanges")}


def test_deadlines_from_a_millisecond_get_an_answer_or_the_right_code(dock: EveryService) -> None:
    stub = StorageServiceStub(dock.served.raw)

    def told(milliseconds: int) -> str:
        try:
            stub.ListLearnwares(pb.ListLearnwaresRequest(), metadata=OWNER, timeout=milliseconds / 1000)
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    with ThreadPoolExecutor(_CALLERS) as callers:  # so many that a quick machine is late as well
        answers = Counter(callers.map(told, (1, 2, 3, 5, 8, 13, 21, 34, 55) * 16))
    assert set(answers) <= {"OK", "DEADLINE_EXCEEDED"}
    assert answers["DEADLINE_EXCEEDED"]


def test_calls_given_up_at_any_moment_leave_nothing(dock: EveryService) -> None:
    storage, search = StorageServiceStub(dock.served.raw), SearchServiceStub(dock.served.raw)
    generator = np.random.default_rng(1)
    told: Counter[str] = Counter()
    for number in range(ROUNDS):
        if number % 2:
            call = storage.ListLearnwares.future(pb.ListLearnwaresRequest(), metadata=OWNER, timeout=60)
        else:
            call = search.Search.future(
                search_pb.SearchRequest(filter=types_pb2.SemanticFilter(text="columns")), metadata=OWNER, timeout=60
            )
        threading.Event().wait(float(generator.random()) * 0.004)
        told["cancelled" if call.cancel() else "answered"] += 1
    assert told["cancelled"]
    assert eventually(lambda: not in_flight())
    assert storage.ListLearnwares(pb.ListLearnwaresRequest(), metadata=OWNER, timeout=60).total_size == 1


def test_streams_given_up_leave_nothing(dock: EveryService) -> None:
    stub = StorageServiceStub(dock.served.raw)
    for number in range(max(1, ROUNDS // 20)):
        changes = stub.WatchChanges(pb.WatchChangesRequest(), metadata=(("authorization", "Bearer SERVICE:service"),))
        if number % 2:
            next(iter(changes))
        changes.cancel()
    assert eventually(lambda: watching() <= 1), "search's own stays"


def watching() -> float:
    """Streams of changes that are open."""
    samples = [sample for metric in telemetry.IN_FLIGHT.collect() for sample in metric.samples]
    return sum(sample.value for sample in samples if sample.labels["method"].endswith("/WatchChanges"))


def test_messages_beyond_the_limit_are_refused_with_the_reason(dock: EveryService) -> None:
    five_mib = "x" * (5 * 2**20)
    stub = StorageServiceStub(dock.served.channel_as(Role.USER, "owner"))
    with pytest.raises(errors.ResourceExhausted) as caught:
        stub.GetLearnware(pb.GetLearnwareRequest(learnware_id=five_mib))
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE
    unlimited = [("grpc.max_send_message_length", -1)]
    huge = pb.GetLearnwareRequest(learnware_id="x" * (40 * 2**20))
    with (
        grpc.insecure_channel(dock.served.address, options=unlimited) as channel,
        pytest.raises(grpc.RpcError) as beyond,
    ):
        StorageServiceStub(channel).GetLearnware(huge, metadata=OWNER, timeout=60)
    error = from_rpc_error(beyond.value)
    assert (type(error), error.reason) == (errors.ResourceExhausted, Reason.MESSAGE_TOO_LARGE)


def test_metadata_beyond_the_limit_is_refused(dock: EveryService) -> None:
    huge = (*OWNER, ("x-note", "x" * 200_000))
    with pytest.raises(grpc.RpcError) as caught:
        StorageServiceStub(dock.served.raw).GetVocabulary(pb.GetVocabularyRequest(), metadata=huge, timeout=60)
    assert caught.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    StorageServiceStub(dock.served.raw).GetVocabulary(pb.GetVocabularyRequest(), timeout=60)


def test_a_long_request_id_is_cut_and_a_strange_one_harmless(dock: EveryService) -> None:
    for request_id in ("r" * 5000, "'\"%s{}", ""):
        metadata = (*OWNER, ("x-request-id", request_id))
        StorageServiceStub(dock.served.raw).ListLearnwares(pb.ListLearnwaresRequest(), metadata=metadata, timeout=60)


def test_unknown_enums_are_refused_where_they_would_mean_something(dock: EveryService) -> None:
    channel, admin = dock.served.channel_as(Role.USER, "owner"), dock.served.channel_as(Role.ADMIN, "adm")
    tensor = tensor_to_message(np.zeros((2, 3), dtype=np.float32))
    tensor.dtype = 99
    unknown = [
        lambda: SearchServiceStub(channel).Search(
            search_pb.SearchRequest(specification=types_pb2.Specification(modality=99, atoms=tensor))
        ),
        lambda: ReuseServiceStub(channel).CreateReuser(
            reuse_pb.CreateReuserRequest(strategy=99, members=[reuse_pb.ReuserMember(learnware_id="00000001")])
        ),
        lambda: IdentityServiceStub(admin).CreateUser(identity_pb.CreateUserRequest(name="eve", role=99)),
        lambda: IdentityServiceStub(admin).CreateToken(identity_pb.CreateTokenRequest(scopes=[99])),
    ]
    for call in unknown:
        with pytest.raises(errors.InvalidInput) as caught:
            call()
        assert caught.value.field
    ignored = validator_pb.ListValidationsRequest(state=99)
    assert not ValidatorServiceStub(channel).ListValidations(ignored).validations
