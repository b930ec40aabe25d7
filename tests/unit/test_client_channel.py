"""Addresses, tokens, TLS, and failures that become our errors."""

from collections.abc import Iterator
from pathlib import Path
import socket

import grpc
import pytest

import learndock
from learndock import errors
from learndock.client.channel import Addresses
from learndock.errors import FieldViolation, LearndockError, Reason
from learndock.status import CODES
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import identity_service_pb2_grpc, types_pb2
from tests.support.bare_server import bare_server, fail, registered

TLS = Path(__file__).parent / "tls"


class Identity(identity_service_pb2_grpc.IdentityServiceServicer):
    """Tells who calls, or fails as a test says."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.seconds: list[float] = []
        self.error: LearndockError | None = None

    def WhoAmI(self, request: pb.WhoAmIRequest, context: grpc.ServicerContext) -> pb.WhoAmIResponse:
        self.tokens.append(str(dict(context.invocation_metadata()).get("authorization", "")))
        self.seconds.append(context.time_remaining())
        if self.error is not None:
            fail(context, self.error)
        return pb.WhoAmIResponse(user=pb.User(user_id="7", name="ada", role=types_pb2.ROLE_ADMIN))


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest.fixture
def address(identity: Identity) -> Iterator[str]:
    with bare_server(registered(identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, identity)) as where:
        yield where


def test_every_call_carries_token_and_deadline(identity: Identity, address: str) -> None:
    with learndock.Dock(address, "secret", timeout=12.0) as dock:
        assert dock.whoami().name == "ada"
    assert identity.tokens == ["Bearer secret"]
    assert 0 < identity.seconds[0] < 13.0  # gRPC rounds on a clock of its own


def test_calls_are_spread_over_several_addresses_and_one_may_be_dead(identity: Identity, address: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
    other = Identity()
    with bare_server(registered(identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, other)) as second:
        for where in ({"identity": f"{address},{second},{dead}"}, f"identity={address},identity={second}"):
            with learndock.Dock(where, "secret") as dock:
                for _ in range(20):
                    assert dock.whoami().name == "ada"
    assert min(len(identity.tokens), len(other.tokens)) > 1


def test_an_address_for_each_service(identity: Identity, address: str) -> None:
    with learndock.Dock({"identity": address}, "secret") as dock:
        assert dock.whoami().user_id == "7"
        with pytest.raises(errors.InvalidInput, match="storage"):
            dock.get("00000001")


@pytest.mark.parametrize("error_class", CODES)
def test_failures_come_out_as_they_went_in(identity: Identity, address: str, error_class: type[LearndockError]) -> None:
    identity.error = error_class(
        Reason.SEMANTIC_INVALID,
        "What is wrong.",
        violations=[FieldViolation("a.b", "too long")],
        resource="00000001",
        retry_after=0.01,
    )
    with learndock.Dock(address, "secret") as dock, pytest.raises(error_class) as caught:
        dock.whoami()
    error = caught.value
    assert type(error) is error_class
    assert (error.reason, error.message, error.field) == (Reason.SEMANTIC_INVALID, "What is wrong.", "a.b")
    assert (error.resource, error.retry_after) == ("00000001", 0.01)


def test_an_unreachable_dock_is_unavailable() -> None:
    with socket.socket() as taken:  # bound but not listening: nobody else can answer there
        taken.bind(("127.0.0.1", 0))
        with (
            learndock.Dock(f"127.0.0.1:{taken.getsockname()[1]}", "x") as dock,
            pytest.raises(errors.Unavailable) as caught,
        ):
            dock.whoami()
    assert caught.value.reason is Reason.SERVICE_UNAVAILABLE


def test_tls_with_an_own_authority(identity: Identity) -> None:
    key, certificate = (TLS / "localhost.key").read_bytes(), (TLS / "localhost.pem").read_bytes()
    register = registered(identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, identity)
    with bare_server(register, credentials=grpc.ssl_server_credentials([(key, certificate)])) as where:
        port = where.rpartition(":")[2]
        with learndock.Dock(f"grpcs://localhost:{port}", "secret", ca_file=TLS / "localhost.pem") as dock:
            assert dock.whoami().name == "ada"
        with learndock.Dock(f"grpcs://localhost:{port}", "secret") as dock, pytest.raises(errors.Unavailable):
            dock.whoami()


def test_tls_is_never_given_up(identity: Identity, address: str) -> None:
    with learndock.Dock(f"grpcs://{address}", "secret") as dock, pytest.raises(errors.Unavailable):
        dock.whoami()
    assert identity.tokens == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host:1", Addresses("host:1")),
        ("grpcs://host:1", Addresses("grpcs://host:1")),
        ("storage=a:1,search=b:2", Addresses("", {"storage": "a:1", "search": "b:2"})),
        ("storage=a:1, host:3", Addresses("host:3", {"storage": "a:1"})),
    ],
)
def test_addresses_are_read(text: str, expected: Addresses) -> None:
    assert Addresses.parse(text) == expected


@pytest.mark.parametrize("text", ["", " , ", "nothing=a:1"])
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        Addresses.parse(text)
    assert caught.value.field == "address"
