"""Which calls a channel repeats by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import json

import grpc
import pytest

from learndock.calls import CallingChannel, open_channel, service_config
from learndock.errors import Reason, Unavailable
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import storage_service_pb2_grpc as rpc
from tests.support.bare_server import bare_server, fail, registered
from tests.support.serving import Bearer


def test_only_methods_that_change_nothing_are_repeated() -> None:
    (policy,) = json.loads(service_config())["methodConfig"]
    methods = {name["method"] for name in policy["name"]}
    assert {"GetLearnware", "Search", "WhoAmI", "ListLearnwares"} <= methods
    assert not methods & {"CreateToken", "FinishUpload", "Predict", "RevokeToken", "RecordVerdict", "RebuildIndex"}


class Forgetful(rpc.StorageServiceServicer):
    """Loses calls as often as a test says, after it has seen them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.lost = 0
        self.lose: Callable[[grpc.ServicerContext], None] = lambda context: context.abort(
            grpc.StatusCode.UNAVAILABLE, "Connection reset by peer"
        )

    def DeleteLearnware(
        self, request: pb.DeleteLearnwareRequest, context: grpc.ServicerContext
    ) -> pb.DeleteLearnwareResponse:
        self.seen.append(request.request_id)
        if len(self.seen) <= self.lost:
            self.lose(context)
        return pb.DeleteLearnwareResponse()


@pytest.fixture
def servicer() -> Forgetful:
    return Forgetful()


@pytest.fixture
def stub(servicer: Forgetful) -> Iterator[rpc.StorageServiceStub]:
    register = registered(rpc.add_StorageServiceServicer_to_server, servicer)
    with bare_server(register) as address, open_channel(address) as channel:
        yield rpc.StorageServiceStub(CallingChannel(channel, Bearer("")))


def test_a_lost_call_with_a_request_id_is_made_again(stub: rpc.StorageServiceStub, servicer: Forgetful) -> None:
    servicer.lost = 2
    stub.DeleteLearnware(pb.DeleteLearnwareRequest(request_id="once"))
    assert servicer.seen == ["once"] * 3


def test_a_lost_call_without_one_is_not(stub: rpc.StorageServiceStub, servicer: Forgetful) -> None:
    servicer.lost = 1
    with pytest.raises(Unavailable, match="reset"):
        stub.DeleteLearnware(pb.DeleteLearnwareRequest())
    assert len(servicer.seen) == 1


def test_a_call_that_is_always_lost_is_given_up(stub: rpc.StorageServiceStub, servicer: Forgetful) -> None:
    servicer.lost = 100
    with pytest.raises(Unavailable, match="reset"):
        stub.DeleteLearnware(pb.DeleteLearnwareRequest(request_id="never"))
    assert len(servicer.seen) == 5


def test_what_a_service_refuses_is_not_asked_again(stub: rpc.StorageServiceStub, servicer: Forgetful) -> None:
    servicer.lost = 1
    servicer.lose = lambda context: fail(context, Unavailable(Reason.SERVICE_UNAVAILABLE, "later", retry_after=5.0))
    with pytest.raises(Unavailable, match="later"):
        stub.DeleteLearnware(pb.DeleteLearnwareRequest(request_id="once"))
    assert len(servicer.seen) == 1
