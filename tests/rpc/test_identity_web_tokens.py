"""Web tokens of issuers: who is let in, which forgeries are not, keys that change, and services that hold one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import time

from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr, ValidationError
import pytest

from learndock import errors
from learndock.errors import Reason
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from services.identity import web_tokens
from services.identity.config import Settings
from services.identity.web_tokens import IssuerKeys
from services.identity.wiring import build
from tests.support.issuer import AUDIENCE, Issuer, issuer, signed_with_public_key, unsigned
from tests.support.serving import SERVICE_TOKEN, Served, serve

SERVICE_SUBJECT = "system:serviceaccount:learndock:search"


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    monkeypatch.setattr(IssuerKeys, "_LEAST_SECONDS", 0.0)
    with issuer() as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, trusted: Issuer) -> Settings:
    return Settings(
        data_dir=tmp_path,
        service_token=SecretStr(SERVICE_TOKEN),
        registration_domains=("example.org",),
        issuers=(web_tokens.Issuer(issuer=trusted.url, audience=AUDIENCE, services={SERVICE_SUBJECT: "search"}),),
    )


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    with serve(build(settings)) as running:
        yield running


@pytest.fixture
def admin(served: Served, settings: Settings) -> IdentityServiceStub:
    return IdentityServiceStub(served.channel(settings.admin_token.read_text().strip()))


def whoami(served: Served, token: str) -> pb.User:
    return IdentityServiceStub(served.channel(token)).WhoAmI(pb.WhoAmIRequest()).user


def refused(served: Served, token: str) -> Reason:
    with pytest.raises(errors.Unauthenticated) as caught:
        whoami(served, token)
    assert token not in caught.value.message
    return caught.value.reason


def test_whoever_the_issuer_vouches_for_has_one_account(served: Served, trusted: Issuer) -> None:
    ada = whoami(served, trusted.token())
    assert (ada.name, ada.email, ada.role) == ("ada", "ada@example.org", types_pb2.ROLE_USER)
    assert whoami(served, trusted.token(email=None, preferred_username="countess")) == ada
    other = whoami(served, trusted.token(sub="subject-2"))
    assert (other.name, other.user_id == ada.user_id) == ("ada-2", False)
    assert whoami(served, trusted.token(aud=["another", AUDIENCE])) == ada


def test_forged_tokens_are_refused(served: Served, trusted: Issuer) -> None:
    good = trusted.token()
    whoami(served, good)
    with issuer() as stranger:
        stranger.keys = {"first": next(iter(stranger.keys.values()))}
        wrong_key = stranger.token(iss=trusted.url)
        unknown_issuer = stranger.token()
    head, body, signature = good.split(".")
    forgeries = {
        "alg=none": unsigned(trusted.claims(), "first"),
        "alg=none, signature kept": f"{unsigned(trusted.claims(), 'first')}{signature}",
        "HMAC with the public key": signed_with_public_key(trusted, "first"),
        "wrong key": wrong_key,
        "unknown issuer": unknown_issuer,
        "wrong audience": trusted.token(aud="another"),
        "no audience": trusted.token(aud=None),
        "no subject": trusted.token(sub=None),
        "never ends": trusted.token(exp=None),
        "not yet": trusted.token(nbf=int(time.time()) + 600),
        "other claims": ".".join((head, trusted.token(sub="somebody").split(".")[1], signature)),
        "no signature": f"{head}.{body}.",
        "nonsense": "eyJ.eyJ.x",
    }
    assert {name: refused(served, token) for name, token in forgeries.items()} == dict.fromkeys(
        forgeries, Reason.TOKEN_INVALID
    )
    assert refused(served, trusted.token(exp=int(time.time()) - 60)) is Reason.TOKEN_EXPIRED


def test_keys_are_remembered_and_change_when_the_issuer_changes_them(served: Served, trusted: Issuer) -> None:
    old = trusted.token()
    for _ in range(5):
        whoami(served, old)
    assert trusted.fetched == 1
    trusted.rotate("second", keep=True)
    trusted.add_elliptic("third")
    whoami(served, trusted.token("second"))
    whoami(served, trusted.token("third"))
    assert trusted.fetched == 2, "an unknown key makes it look again, once"
    whoami(served, old)
    trusted.rotate("fourth")
    whoami(served, trusted.token())
    assert refused(served, old) is Reason.TOKEN_INVALID, "a key that was withdrawn is forgotten with the next look"


def test_an_issuer_that_is_away_locks_nobody_out_whose_key_is_known(served: Served, trusted: Issuer) -> None:
    known = trusted.token()
    whoami(served, known)
    trusted.away = True
    whoami(served, known)
    trusted.rotate("second")
    assert refused(served, trusted.token()) is Reason.TOKEN_INVALID


def test_an_issuer_that_never_answered_is_unavailable(served: Served, trusted: Issuer) -> None:
    trusted.away = True
    with pytest.raises(errors.Unavailable) as caught:
        whoami(served, trusted.token())
    assert caught.value.retry_after


def test_unknown_keys_do_not_make_it_fetch_without_end(
    served: Served, trusted: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whoami(served, trusted.token())
    monkeypatch.setattr(IssuerKeys, "_LEAST_SECONDS", 3600.0)
    trusted.rotate("unpublished")
    forged = trusted.token()
    for _ in range(20):
        refused(served, forged)
    assert trusted.fetched == 1


def test_accounts_are_made_only_by_a_rule(served: Served, trusted: Issuer, admin: IdentityServiceStub) -> None:
    strangers = [
        trusted.token(sub="a", email="eve@elsewhere.com"),
        trusted.token(sub="b", email_verified=False),
        trusted.token(sub="c", email_verified="true"),
        trusted.token(sub="d", email=None),
    ]
    for token in strangers:
        with pytest.raises(errors.PermissionDenied) as caught:
            whoami(served, token)
        assert caught.value.reason is Reason.REGISTRATION_CLOSED
    invited = pb.CreateInvitationRequest(email="eve@elsewhere.com", role=types_pb2.ROLE_ADMIN)
    admin.CreateInvitation(invited)
    assert whoami(served, strangers[0]).role == types_pb2.ROLE_ADMIN
    assert not admin.ListInvitations(pb.ListInvitationsRequest()).invitations, "it is used up"


def test_an_account_is_not_taken_over_by_its_address(
    served: Served, trusted: Issuer, admin: IdentityServiceStub
) -> None:
    admin.CreateUser(pb.CreateUserRequest(name="boss", email="ada@example.org", role=types_pb2.ROLE_ADMIN))
    mine = whoami(served, trusted.token(preferred_username="boss"))
    assert (mine.name, mine.role) == ("boss-2", types_pb2.ROLE_USER)


def test_a_disabled_account_is_refused_whatever_the_issuer_says(
    served: Served, trusted: Issuer, admin: IdentityServiceStub
) -> None:
    ada = whoami(served, trusted.token())
    ada.disabled = True
    admin.UpdateUser(pb.UpdateUserRequest(user=ada, update_mask=FieldMask(paths=["disabled"])))
    assert refused(served, trusted.token()) is Reason.USER_DISABLED


def test_a_service_may_hold_a_web_token(served: Served, trusted: Issuer, admin: IdentityServiceStub) -> None:
    search = IdentityServiceStub(served.channel(trusted.token(sub=SERVICE_SUBJECT)))
    found = search.Authenticate(pb.AuthenticateRequest(token=trusted.token(sub=SERVICE_SUBJECT))).user
    assert (found.name, found.role) == ("search", types_pb2.ROLE_SERVICE)
    with pytest.raises(errors.PermissionDenied):
        search.ListUsers(pb.ListUsersRequest())
    assert not any(user.name == "search" for user in admin.ListUsers(pb.ListUsersRequest()).users)


def test_sign_ins_are_in_the_audit_log(served: Served, trusted: Issuer, admin: IdentityServiceStub) -> None:
    for _ in range(3):
        ada = whoami(served, trusted.token())
    (entry,) = admin.ListAuditEntries(pb.ListAuditEntriesRequest(user_id=ada.user_id)).entries
    assert (entry.action, entry.resource, entry.code) == ("sign-in", trusted.url, "OK")


@pytest.mark.parametrize("url", ["http://login.example.org", "ftp://x", "file:///etc/passwd"])
def test_keys_are_fetched_over_tls_only(url: str) -> None:
    with pytest.raises(ValidationError, match="https"):
        web_tokens.Issuer(issuer=url, audience="a")
