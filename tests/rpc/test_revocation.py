"""A credential that was ended is refused within five seconds by services that remember it, in open streams too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
import time

import grpc
import pytest

from learndock import errors
from learndock.calls import CallingChannel, open_channel
from learndock.serving import caller, server
from learndock.serving.application import Application, Servicer
from learndock.serving.authentication import RemoteAuthenticator
from learndock.serving.peers import Peer
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as validator_pb
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    StorageServiceStub,
    add_StorageServiceServicer_to_server,
)
from learndock.v1.validator_service_pb2_grpc import (
    ValidatorServiceServicer,
    ValidatorServiceStub,
    add_ValidatorServiceServicer_to_server,
)
from services.identity.config import Settings
from services.identity.wiring import build
from tests.support.serving import SERVICE_TOKEN, Bearer, Served, serve

PROMISED_SECONDS = 5.0


class Plain(StorageServiceServicer):
    """Answers anybody who may call."""

    def ListLearnwares(
        self, request: storage_pb.ListLearnwaresRequest, context: grpc.ServicerContext
    ) -> storage_pb.ListLearnwaresResponse:
        return storage_pb.ListLearnwaresResponse()


class Patient(ValidatorServiceServicer):
    """Tells something now and then, or (by learnware) nothing at all."""

    def WatchValidation(
        self, request: validator_pb.WatchValidationRequest, context: grpc.ServicerContext
    ) -> Iterator[validator_pb.WatchValidationResponse]:
        yield validator_pb.WatchValidationResponse()
        while True:
            if request.learnware_id:
                caller.check_active()
            else:
                yield validator_pb.WatchValidationResponse()
            time.sleep(0.05)


@dataclass(frozen=True)
class Remembering:
    """A service that asks identity and remembers."""

    identity: Served
    admin: IdentityServiceStub
    channel: grpc.Channel

    def with_token(self, secret: str) -> grpc.Channel:
        return CallingChannel(self.channel, Bearer(secret))

    def new_token(self) -> pb.CreateTokenResponse:
        return self.admin.CreateToken(pb.CreateTokenRequest())


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remembering]:
    settings = Settings(data_dir=Path(tmp_path_factory.mktemp("revoked")), service_token=SERVICE_TOKEN)
    with serve(build(settings)) as identity:
        peer = Peer(identity.address, SERVICE_TOKEN)
        servicers = (
            Servicer("learndock.v1.StorageService", Plain(), add_StorageServiceServicer_to_server),
            Servicer("learndock.v1.ValidatorService", Patient(), add_ValidatorServiceServicer_to_server),
        )
        running = server.start(
            [Application("remembering", servicers=servicers)],
            listen="127.0.0.1:0",
            authenticator=RemoteAuthenticator(peer, SERVICE_TOKEN),
        )
        admin = IdentityServiceStub(identity.channel(settings.admin_token.read_text().strip()))
        with open_channel(running.address) as channel:
            yield Remembering(identity, admin, channel)
        running.stop(1.0)
        peer.close()


def last_admitted(call: Callable[[], object], since: float) -> float:
    """When the last call began that was admitted, in seconds after a moment."""
    last = 0.0
    while True:
        began = time.monotonic() - since
        try:
            call()
        except errors.Unauthenticated:
            return last
        last = began
        time.sleep(0.05)


def test_a_revoked_token_is_refused_within_the_promised_time(dock: Remembering) -> None:
    made = dock.new_token()
    stub = StorageServiceStub(dock.with_token(made.secret))
    stub.ListLearnwares(storage_pb.ListLearnwaresRequest())
    dock.admin.RevokeToken(pb.RevokeTokenRequest(token_id=made.token.token_id))
    revoked = time.monotonic()
    assert last_admitted(lambda: stub.ListLearnwares(storage_pb.ListLearnwaresRequest()), revoked) < PROMISED_SECONDS


@pytest.mark.parametrize("learnware_id", ["", "00000001"], ids=["that tells", "that is silent"])
def test_an_open_stream_ends(dock: Remembering, learnware_id: str) -> None:
    made = dock.new_token()
    request = validator_pb.WatchValidationRequest(learnware_id=learnware_id)
    stream = ValidatorServiceStub(dock.with_token(made.secret)).WatchValidation(request, timeout=60)
    next(stream)
    dock.admin.RevokeToken(pb.RevokeTokenRequest(token_id=made.token.token_id))
    with pytest.raises(errors.Unauthenticated):
        for _ in stream:
            pass


def test_a_lowered_role_counts_as_soon(dock: Remembering) -> None:
    user = dock.admin.CreateUser(pb.CreateUserRequest(name="helper", role=types_pb2.ROLE_ADMIN)).user
    secret = dock.admin.CreateToken(pb.CreateTokenRequest(user_id="helper")).secret
    service = IdentityServiceStub(dock.identity.channel(SERVICE_TOKEN))
    assert service.Authenticate(pb.AuthenticateRequest(token=secret)).user.role == types_pb2.ROLE_ADMIN
    user.role = types_pb2.ROLE_USER
    request = pb.UpdateUserRequest(user=user)
    request.update_mask.paths.append("role")
    dock.admin.UpdateUser(request)
    assert service.Authenticate(pb.AuthenticateRequest(token=secret)).user.role == types_pb2.ROLE_USER
