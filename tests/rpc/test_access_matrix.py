"""Who may call what: every method of every service, as docs/access.md says, on a private learnware of somebody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import hashlib
from importlib import import_module
from itertools import count
from pathlib import Path
import re
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
import grpc
import pytest

from learndock.account import Role
from learndock.errors import InvalidInput, LearndockError, NotFound, PermissionDenied, Unauthenticated
from learndock.v1 import identity_service_pb2 as identity_pb
from learndock.v1 import reuse_service_pb2 as reuse_pb
from learndock.v1 import search_service_pb2 as search_pb
from learndock.v1 import storage_service_pb2 as storage_pb
from learndock.v1 import types_pb2
from learndock.v1 import validator_service_pb2 as validator_pb
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.v1.reuse_service_pb2_grpc import ReuseServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub
from tests.support.every_service import EveryService, every_service
from tests.support.patience import eventually
from tests.support.storage import package

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
CALLERS = {
    "anonymous": "",
    "other user": "USER:other",
    "owner": "USER:owner",
    "admin": "ADMIN:adm",
    "superadmin": "SUPERADMIN:sup",
    "service": "SERVICE:service",
}
MODULES = [
    import_module(f"learndock.v1.{name}_service_pb2")
    for name in ("identity", "reuse", "search", "spec", "storage", "validator")
]
METHODS = [
    method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def table() -> dict[str, dict[str, str]]:
    """Outcomes by method and caller, as the page tells them."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|\n ").split("|")]
        for line in PAGE.read_text().splitlines()
        if re.match(r"\| `\w+\.\w+` \|", line)
    ]
    return {row[0]: dict(zip(CALLERS, row[1:], strict=True)) for row in rows}


def test_the_page_has_every_method_and_no_other() -> None:
    assert set(table()) == {named(method) for method in METHODS}


def named(method: Any) -> str:
    return f"{method.containing_service.name.removesuffix('Service')}.{method.name}"


class World:
    """A dock, and things of `owner` that a method can be tried on, new ones for each try."""

    def __init__(self, dock: EveryService) -> None:
        self.dock = dock
        self._numbers = count()
        self.learnware_id = self.learnware()

    def number(self) -> int:
        return next(self._numbers)

    def learnware(self) -> str:
        return self.dock.private_learnware(package(f"private {self.number()}"))

    def deleted(self) -> str:
        learnware_id = self.learnware()
        self.dock.storage.stub(Role.USER, "owner").DeleteLearnware(
            storage_pb.DeleteLearnwareRequest(learnware_id=learnware_id)
        )
        return learnware_id

    def upload(self) -> tuple[str, str]:
        data = package(f"upload {self.number()}")
        return self.dock.storage.send(self.dock.storage.stub(Role.USER, "owner"), data), hashlib.sha256(
            data
        ).hexdigest()

    def channel(self, user: str) -> grpc.Channel:
        return self.dock.served.channel(user)

    def token(self) -> identity_pb.CreateTokenResponse:
        return IdentityServiceStub(self.channel("USER:owner")).CreateToken(identity_pb.CreateTokenRequest())

    def invitation(self) -> identity_pb.CreateInvitationResponse:
        stub = IdentityServiceStub(self.channel("ADMIN:adm"))
        return stub.CreateInvitation(identity_pb.CreateInvitationRequest())

    def reuser(self) -> str:
        request = reuse_pb.CreateReuserRequest(members=[reuse_pb.ReuserMember(learnware_id=self.learnware_id)])
        return str(ReuseServiceStub(self.channel("USER:owner")).CreateReuser(request).reuser.reuser_id)

    def island(self) -> str:
        """The island of the private learnware, once search has followed."""
        stub = SearchServiceStub(self.channel("USER:owner"))
        assert eventually(lambda: stub.ListIslands(search_pb.ListIslandsRequest()).islands)
        return str(stub.ListIslands(search_pb.ListIslandsRequest()).islands[0].island_id)

    def validation(self) -> str:
        stub = ValidatorServiceStub(self.channel("USER:owner"))
        request = validator_pb.CreateValidationRequest(learnware_id=self.learnware())
        return str(stub.CreateValidation(request).validation.validation_id)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with every_service(tmp_path_factory.mktemp("matrix")) as dock:
        yield World(dock)


def finish(world: World) -> Message:
    upload_id, sha256 = world.upload()
    return storage_pb.FinishUploadRequest(upload_id=upload_id, sha256=sha256)


def own_user(world: World) -> Message:
    user = identity_pb.User(user_id="owner", email=f"owner{world.number()}@example.org")
    return identity_pb.UpdateUserRequest(user=user, update_mask=FieldMask(paths=["email"]))


def change(world: World) -> Message:
    learnware = types_pb2.Learnware(learnware_id=world.learnware_id, visibility=types_pb2.VISIBILITY_PRIVATE)
    return storage_pb.UpdateLearnwareRequest(learnware=learnware, update_mask=FieldMask(paths=["visibility"]))


def member(world: World) -> reuse_pb.ReuserMember:
    return reuse_pb.ReuserMember(learnware_id=world.learnware_id)


# What each method is asked; the ones that are left out take an empty request.
REQUESTS: dict[str, Callable[[World], Message]] = {
    "Identity.Authenticate": lambda w: identity_pb.AuthenticateRequest(token=w.token().secret),
    "Identity.CreateUser": lambda w: identity_pb.CreateUserRequest(name=f"user{w.number()}"),
    "Identity.GetUser": lambda w: identity_pb.GetUserRequest(user_id="owner"),
    "Identity.UpdateUser": own_user,
    "Identity.CreateToken": lambda w: identity_pb.CreateTokenRequest(user_id="owner"),
    "Identity.ListTokens": lambda w: identity_pb.ListTokensRequest(user_id="owner"),
    "Identity.RevokeToken": lambda w: identity_pb.RevokeTokenRequest(token_id=w.token().token.token_id),
    "Identity.RevokeInvitation": lambda w: identity_pb.RevokeInvitationRequest(
        invitation_id=w.invitation().invitation.invitation_id
    ),
    "Identity.Register": lambda w: identity_pb.RegisterRequest(code=w.invitation().code, name=f"new{w.number()}"),
    "Storage.StartUpload": lambda w: storage_pb.StartUploadRequest(size_bytes=10, learnware_id=w.learnware_id),
    "Storage.WriteUpload": lambda w: storage_pb.WriteUploadRequest(upload_id=w.upload()[0]),
    "Storage.GetUpload": lambda w: storage_pb.GetUploadRequest(upload_id=w.upload()[0]),
    "Storage.FinishUpload": finish,
    "Storage.CancelUpload": lambda w: storage_pb.CancelUploadRequest(upload_id=w.upload()[0]),
    "Storage.GetQuota": lambda w: storage_pb.GetQuotaRequest(user_id="owner"),
    "Storage.GetLearnware": lambda w: storage_pb.GetLearnwareRequest(learnware_id=w.learnware_id),
    "Storage.UpdateLearnware": change,
    "Storage.DeleteLearnware": lambda w: storage_pb.DeleteLearnwareRequest(learnware_id=w.learnware()),
    "Storage.UndeleteLearnware": lambda w: storage_pb.UndeleteLearnwareRequest(learnware_id=w.deleted()),
    "Storage.GetVersion": lambda w: storage_pb.GetVersionRequest(learnware_id=w.learnware_id),
    "Storage.ListVersions": lambda w: storage_pb.ListVersionsRequest(learnware_id=w.learnware_id),
    "Storage.GetSpecification": lambda w: storage_pb.GetSpecificationRequest(learnware_id=w.learnware_id),
    "Storage.DownloadPackage": lambda w: storage_pb.DownloadPackageRequest(learnware_id=w.learnware_id),
    "Storage.GetDownloadUrl": lambda w: storage_pb.GetDownloadUrlRequest(learnware_id=w.learnware_id),
    "Reuse.CreateReuser": lambda w: reuse_pb.CreateReuserRequest(members=[member(w)]),
    "Reuse.GetReuser": lambda w: reuse_pb.GetReuserRequest(reuser_id=w.reuser()),
    "Reuse.DeleteReuser": lambda w: reuse_pb.DeleteReuserRequest(reuser_id=w.reuser()),
    "Reuse.WatchReuser": lambda w: reuse_pb.WatchReuserRequest(reuser_id=w.reuser()),
    "Reuse.Predict": lambda w: reuse_pb.PredictRequest(reuser_id=w.reuser()),
    "Reuse.PredictStream": lambda w: reuse_pb.PredictStreamRequest(reuser_id=w.reuser()),
    "Search.GetIsland": lambda w: search_pb.GetIslandRequest(island_id=w.island()),
    "Validator.CreateValidation": lambda w: validator_pb.CreateValidationRequest(learnware_id=w.learnware_id),
    "Validator.GetValidation": lambda w: validator_pb.GetValidationRequest(validation_id=w.validation()),
    "Validator.CancelValidation": lambda w: validator_pb.CancelValidationRequest(validation_id=w.validation()),
    "Validator.WatchValidation": lambda w: validator_pb.WatchValidationRequest(validation_id=w.validation()),
}


def outcome(world: World, method: Any, caller: str) -> str:
    """What a caller gets: `yes` for whatever is no refusal, an error about the request too."""
    make = REQUESTS.get(named(method))
    request = make(world) if make is not None else message_class(method)()
    kind = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    call = getattr(world.channel(CALLERS[caller]), kind)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=lambda data: data,
    )
    try:
        answer = call(iter([request]) if method.client_streaming else request, timeout=60)
        if method.server_streaming:
            next(iter(answer), None)
            answer.cancel()
    except Unauthenticated:
        return "sign in"
    except PermissionDenied:
        return "no"
    except NotFound:
        return "hidden"
    except LearndockError:
        return "yes"
    return "yes"


def message_class(method: Any) -> type[Message]:
    module = next(each for each in MODULES if each.DESCRIPTOR is method.containing_service.file)
    found: type[Message] = getattr(module, method.input_type.name)
    return found


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_callers_get_what_the_page_says(world: World, method: Any) -> None:
    assert {caller: outcome(world, method, caller) for caller in CALLERS} == table()[named(method)]


def refusal(call: Callable[[Any], object], request: Message) -> tuple[type[LearndockError], str, str]:
    """Class, reason and words of a refusal."""
    with pytest.raises(LearndockError) as caught:
        call(request)
    return type(caught.value), caught.value.reason.value, caught.value.message


UNKNOWN = "00999999"


@pytest.mark.parametrize(
    "name",
    [
        "Storage.StartUpload",
        "Storage.GetLearnware",
        "Storage.UpdateLearnware",
        "Storage.DeleteLearnware",
        "Storage.UndeleteLearnware",
        "Storage.GetVersion",
        "Storage.ListVersions",
        "Storage.GetSpecification",
        "Storage.GetDownloadUrl",
        "Reuse.CreateReuser",
        "Validator.CreateValidation",
        "Search.GetIsland",
    ],
)
def test_what_is_private_is_refused_in_the_words_for_what_does_not_exist(world: World, name: str) -> None:
    method = next(each for each in METHODS if named(each) == name)
    call = world.channel("USER:other").unary_unary(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
    )
    private = REQUESTS[name](world)
    told = refusal(call, private)
    real, text = subject_of(private)
    unknown = type(private).FromString(private.SerializeToString().replace(real.encode(), unlike(real).encode()))
    class_, reason, words = refusal(call, unknown)
    assert told == (class_, reason, words.replace(unlike(real), real))
    assert text not in told[2].replace(real, "")


def unlike(learnware_id: str) -> str:
    """An id of the same length that nothing has."""
    return UNKNOWN.rjust(len(learnware_id), "x")[-len(learnware_id) :]


def subject_of(request: Message) -> tuple[str, str]:
    """Id that a request is about, and a word of the learnware that no answer may tell."""
    text = str(request)
    found = re.search(r'_id: "([^"]+)"', text)
    assert found is not None
    return found.group(1), "three columns"


def test_private_learnwares_are_in_no_list_total_search_island_or_count(world: World) -> None:
    owner, other = world.channel("USER:owner"), world.channel("USER:other")
    specification = (
        StorageServiceStub(owner)
        .GetSpecification(storage_pb.GetSpecificationRequest(learnware_id=world.learnware_id))
        .specification
    )
    world.island()  # search has followed
    asked = [
        search_pb.SearchRequest(specification=specification),
        search_pb.SearchRequest(filter=types_pb2.SemanticFilter(text="columns")),
        search_pb.SearchRequest(filter=types_pb2.SemanticFilter(learnware_ids=[world.learnware_id])),
    ]
    for request in asked:
        assert SearchServiceStub(owner).Search(request).singles
        answer = SearchServiceStub(other).Search(request)
        assert not answer.singles
        assert not answer.HasField("mixture")
        assert world.learnware_id not in str(answer)
    listed = StorageServiceStub(other).ListLearnwares(storage_pb.ListLearnwaresRequest(show_deleted=True))
    assert (list(listed.learnwares), listed.total_size) == ([], 0)
    assert not SearchServiceStub(other).ListIslands(search_pb.ListIslandsRequest()).islands
    validations = ValidatorServiceStub(other).ListValidations(validator_pb.ListValidationsRequest())
    assert not validations.validations


def test_a_page_token_is_good_for_its_own_caller_only(world: World) -> None:
    world.learnware()
    mine = StorageServiceStub(world.channel("USER:owner")).ListLearnwares(storage_pb.ListLearnwaresRequest(page_size=1))
    assert mine.next_page_token
    request = storage_pb.ListLearnwaresRequest(page_size=1, page_token=mine.next_page_token)
    with pytest.raises(InvalidInput):
        StorageServiceStub(world.channel("USER:other")).ListLearnwares(request)


def test_a_package_that_another_keeps_private_is_taken_as_any_other(world: World) -> None:
    data = package("the same")
    world.dock.private_learnware(data)
    assert world.dock.storage.submit(world.dock.storage.stub(Role.USER, "other"), data).learnware.learnware_id
