"""IdentityService on a real channel: accounts, tokens, and who may do what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import stat

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr
import pytest

from learndock import errors
from learndock.errors import Reason
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from services.identity.config import Settings
from services.identity.wiring import build
from tests.support.serving import SERVICE_TOKEN, Served, serve


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, service_token=SecretStr(SERVICE_TOKEN))


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serve(build(settings)) as running:
        yield running


@pytest.fixture
def admin(served: Served, settings: Settings) -> IdentityServiceStub:
    return IdentityServiceStub(served.channel(settings.admin_token.read_text().strip()))


def new_user(
    served: Served, admin: IdentityServiceStub, name: str, role: int = types_pb2.ROLE_USER
) -> IdentityServiceStub:
    admin.CreateUser(pb.CreateUserRequest(name=name, role=role))
    return IdentityServiceStub(served.channel(admin.CreateToken(pb.CreateTokenRequest(user_id=name)).secret))


def test_first_start_makes_a_superadmin_whose_token_only_the_owner_reads(
    admin: IdentityServiceStub, settings: Settings
) -> None:
    assert admin.WhoAmI(pb.WhoAmIRequest()).user.role == types_pb2.ROLE_SUPERADMIN
    assert stat.S_IMODE(settings.admin_token.stat().st_mode) == 0o600


def test_a_second_start_keeps_the_first_token(settings: Settings) -> None:
    with serve(build(settings)):
        first = settings.admin_token.read_text()
    with serve(build(settings)) as again:
        assert settings.admin_token.read_text() == first
        assert IdentityServiceStub(again.channel(first.strip())).WhoAmI(pb.WhoAmIRequest()).user.name == "admin"


@pytest.mark.parametrize(("token", "reason"), [("", Reason.TOKEN_MISSING), ("ldk_wrong", Reason.TOKEN_INVALID)])
def test_missing_and_wrong_tokens_are_refused(served: Served, token: str, reason: Reason) -> None:
    with pytest.raises(errors.Unauthenticated) as caught:
        IdentityServiceStub(served.channel(token)).WhoAmI(pb.WhoAmIRequest())
    assert caught.value.reason is reason


def test_users_cannot_do_what_admins_do(served: Served, admin: IdentityServiceStub) -> None:
    user = new_user(served, admin, "ada")
    with pytest.raises(errors.PermissionDenied) as caught:
        user.ListUsers(pb.ListUsersRequest())
    assert caught.value.reason is Reason.ROLE_TOO_LOW
    with pytest.raises(errors.PermissionDenied):
        user.CreateToken(pb.CreateTokenRequest(user_id="admin"))
    with pytest.raises(errors.PermissionDenied):
        user.Authenticate(pb.AuthenticateRequest(token="x"))


def test_admins_appoint_users_only(served: Served, admin: IdentityServiceStub) -> None:
    helper = new_user(served, admin, "helper", types_pb2.ROLE_ADMIN)
    helper.CreateUser(pb.CreateUserRequest(name="bob"))
    with pytest.raises(errors.PermissionDenied):
        helper.CreateUser(pb.CreateUserRequest(name="eve", role=types_pb2.ROLE_ADMIN))
    with pytest.raises(errors.PermissionDenied):
        helper.CreateToken(pb.CreateTokenRequest(user_id="admin"))


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.CreateUserRequest(name="x"), "name"),
        (pb.CreateUserRequest(name="has space"), "name"),
        (pb.CreateUserRequest(name="carl", email="nonsense"), "email"),
        (pb.CreateUserRequest(name="carl", role=types_pb2.ROLE_SERVICE), "role"),
        (pb.CreateUserRequest(name="carl", request_id="r" * 65), "request_id"),
    ],
)
def test_bad_input_names_its_field(admin: IdentityServiceStub, request_: pb.CreateUserRequest, field: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        admin.CreateUser(request_)
    assert caught.value.field == field


def test_a_name_is_taken_once_and_a_request_id_has_one_effect(admin: IdentityServiceStub) -> None:
    first = admin.CreateUser(pb.CreateUserRequest(name="dora", request_id="r1"))
    assert admin.CreateUser(pb.CreateUserRequest(name="dora", request_id="r1")) == first
    with pytest.raises(errors.AlreadyExists):
        admin.CreateUser(pb.CreateUserRequest(name="dora"))
    with pytest.raises(errors.Aborted) as caught:
        admin.CreateUser(pb.CreateUserRequest(name="other", request_id="r1"))
    assert caught.value.reason is Reason.REQUEST_ID_REUSED


def test_revoked_expired_and_disabled_tokens_end(served: Served, admin: IdentityServiceStub) -> None:
    user = new_user(served, admin, "frank")
    (token,) = user.ListTokens(pb.ListTokensRequest()).tokens
    user.RevokeToken(pb.RevokeTokenRequest(token_id=token.token_id))
    with pytest.raises(errors.Unauthenticated):
        user.WhoAmI(pb.WhoAmIRequest())
    other = IdentityServiceStub(served.channel(admin.CreateToken(pb.CreateTokenRequest(user_id="frank")).secret))
    frank = other.WhoAmI(pb.WhoAmIRequest()).user
    frank.disabled = True
    admin.UpdateUser(pb.UpdateUserRequest(user=frank, update_mask=FieldMask(paths=["disabled"])))
    with pytest.raises(errors.Unauthenticated) as caught:
        other.WhoAmI(pb.WhoAmIRequest())
    assert caught.value.reason is Reason.USER_DISABLED


def test_tokens_of_others_cannot_be_revoked(served: Served, admin: IdentityServiceStub) -> None:
    (token,) = admin.ListTokens(pb.ListTokensRequest()).tokens
    with pytest.raises(errors.NotFound):
        new_user(served, admin, "grace").RevokeToken(pb.RevokeTokenRequest(token_id=token.token_id))


def test_the_last_superadmin_stays(admin: IdentityServiceStub) -> None:
    me = admin.WhoAmI(pb.WhoAmIRequest()).user
    me.disabled = True
    with pytest.raises(errors.FailedPrecondition) as caught:
        admin.UpdateUser(pb.UpdateUserRequest(user=me, update_mask=FieldMask(paths=["disabled"])))
    assert caught.value.reason is Reason.LAST_ADMIN
    assert not admin.WhoAmI(pb.WhoAmIRequest()).user.disabled


def test_lists_are_paged_and_page_tokens_belong_to_their_query(admin: IdentityServiceStub) -> None:
    for name in ("u1", "u2", "u3"):
        admin.CreateUser(pb.CreateUserRequest(name=name))
    names, token = [], ""
    while True:
        page = admin.ListUsers(pb.ListUsersRequest(page_size=2, page_token=token))
        names += [user.name for user in page.users]
        token = page.next_page_token
        if not token:
            break
    assert names == ["admin", "u1", "u2", "u3"]
    token = admin.ListUsers(pb.ListUsersRequest(page_size=1)).next_page_token
    for wrong in (pb.ListUsersRequest(page_token=token, text="u"), pb.ListUsersRequest(page_token="AAAA")):
        with pytest.raises(errors.InvalidInput) as caught:
            admin.ListUsers(wrong)
        assert caught.value.reason is Reason.PAGE_TOKEN_INVALID
    assert [u.name for u in admin.ListUsers(pb.ListUsersRequest(text="U2")).users] == ["u2"]


def test_services_act_as_such(served: Served, admin: IdentityServiceStub) -> None:
    service = IdentityServiceStub(served.channel(SERVICE_TOKEN))
    secret = admin.CreateToken(pb.CreateTokenRequest()).secret
    assert service.Authenticate(pb.AuthenticateRequest(token=secret)).user.name == "admin"
    with pytest.raises(errors.PermissionDenied):
        service.ListUsers(pb.ListUsersRequest())


def test_summary_counts(served: Served, admin: IdentityServiceStub) -> None:
    new_user(served, admin, "hal")
    summary = admin.GetUserSummary(pb.GetUserSummaryRequest())
    assert (summary.users, summary.admins, summary.disabled, summary.active_tokens) == (2, 1, 0, 2)
