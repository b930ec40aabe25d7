"""Scopes, invitations, mail, and the audit log, through a real channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
import re
import socket
import time

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from pydantic import SecretStr, ValidationError
import pytest

from learndock import errors
from learndock.audit import SIGN_IN
from learndock.errors import Reason
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from services.identity.config import Settings
from services.identity.wiring import build
from tests.support.patience import eventually
from tests.support.serving import SERVICE_TOKEN, Served, serve


class Mailbox(MessageHandler):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop()


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


def with_token(served: Served, secret: str) -> IdentityServiceStub:
    return IdentityServiceStub(served.channel(secret))


def test_a_token_does_only_what_its_scopes_say(served: Served, admin: IdentityServiceStub) -> None:
    made = admin.CreateToken(pb.CreateTokenRequest(label="reader", scopes=[types_pb2.SCOPE_READ]))
    assert list(made.token.scopes) == [types_pb2.SCOPE_READ]
    reader = with_token(served, made.secret)
    assert reader.WhoAmI(pb.WhoAmIRequest()).user.name == "admin"
    for refused in (
        lambda: reader.ListTokens(pb.ListTokensRequest()),
        lambda: reader.CreateToken(pb.CreateTokenRequest()),
        lambda: reader.ListUsers(pb.ListUsersRequest()),
    ):
        with pytest.raises(errors.PermissionDenied) as caught:
            refused()
        assert caught.value.reason is Reason.SCOPE_MISSING
    holder = with_token(served, SERVICE_TOKEN).Authenticate(pb.AuthenticateRequest(token=made.secret))
    assert holder.user.role == types_pb2.ROLE_USER, "an admin's token without the scope is a user's"
    assert list(holder.scopes) == [types_pb2.SCOPE_READ]


def test_a_token_makes_none_that_may_more(served: Served, admin: IdentityServiceStub) -> None:
    scopes = [types_pb2.SCOPE_ACCOUNT, types_pb2.SCOPE_SUBMIT]
    limited = with_token(served, admin.CreateToken(pb.CreateTokenRequest(scopes=scopes)).secret)
    assert limited.CreateToken(pb.CreateTokenRequest(scopes=[types_pb2.SCOPE_SUBMIT])).secret
    for wanted in ([], [types_pb2.SCOPE_REUSE], [*scopes, types_pb2.SCOPE_ADMINISTER]):
        with pytest.raises(errors.PermissionDenied) as caught:
            limited.CreateToken(pb.CreateTokenRequest(scopes=wanted))
        assert caught.value.reason is Reason.SCOPE_MISSING


@pytest.mark.parametrize("number", [0, 99])
def test_unknown_scopes_and_roles_are_refused(admin: IdentityServiceStub, number: int) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        admin.CreateToken(pb.CreateTokenRequest(scopes=[number]))
    assert caught.value.field == "scopes"
    with pytest.raises(errors.InvalidInput) as caught:
        admin.CreateUser(pb.CreateUserRequest(name="eve", role=number or 77))
    assert caught.value.field == "role"


def test_expired_tokens_are_refused(served: Served, admin: IdentityServiceStub) -> None:
    secret = admin.CreateToken(pb.CreateTokenRequest(lifetime_seconds=1)).secret
    time.sleep(1.5)
    with pytest.raises(errors.Unauthenticated) as caught:
        with_token(served, secret).WhoAmI(pb.WhoAmIRequest())
    assert caught.value.reason is Reason.TOKEN_EXPIRED


def test_an_invitation_works_once_and_for_its_address_only(served: Served, admin: IdentityServiceStub) -> None:
    made = admin.CreateInvitation(pb.CreateInvitationRequest(email="Ada@Example.com", role=types_pb2.ROLE_ADMIN))
    anybody = with_token(served, "")
    with pytest.raises(errors.PermissionDenied) as caught:
        anybody.Register(pb.RegisterRequest(code=made.code, name="mallory", email="m@example.com"))
    assert caught.value.reason is Reason.INVITATION_INVALID
    account = anybody.Register(pb.RegisterRequest(code=made.code, name="ada"))
    assert (account.user.email, account.user.role) == ("ada@example.com", types_pb2.ROLE_ADMIN)
    assert with_token(served, account.secret).WhoAmI(pb.WhoAmIRequest()).user == account.user
    for code in (made.code, "ldi_made-up", ""):
        with pytest.raises(errors.PermissionDenied):
            anybody.Register(pb.RegisterRequest(code=code, name="another"))


def test_invitations_are_listed_and_revoked_by_those_who_may(served: Served, admin: IdentityServiceStub) -> None:
    made = admin.CreateInvitation(pb.CreateInvitationRequest(role=types_pb2.ROLE_ADMIN))
    plain = admin.CreateInvitation(pb.CreateInvitationRequest())
    assert list(admin.ListInvitations(pb.ListInvitationsRequest()).invitations) == [plain.invitation, made.invitation]
    helper = with_token(served, with_token(served, "").Register(pb.RegisterRequest(code=made.code, name="h1")).secret)
    with pytest.raises(errors.PermissionDenied):
        helper.CreateInvitation(pb.CreateInvitationRequest(role=types_pb2.ROLE_ADMIN))
    helper.RevokeInvitation(pb.RevokeInvitationRequest(invitation_id=plain.invitation.invitation_id))
    assert not admin.ListInvitations(pb.ListInvitationsRequest()).invitations
    with pytest.raises(errors.PermissionDenied):
        with_token(served, "").Register(pb.RegisterRequest(code=plain.code, name="late"))


def test_addresses_of_admitted_domains_are_sent_an_invitation(settings: Settings) -> None:
    mailbox = Mailbox()
    with mail_server(mailbox) as where:
        mailing = settings.model_copy(
            update={
                "registration_domains": ("example.org",),
                "mail_server": where,
                "mail_sender": "dock@example.org",
                "mail_tls": False,
            }
        )
        with serve(build(mailing)) as served:
            admin = with_token(served, settings.admin_token.read_text().strip())
            check_mailed_invitation(served, admin, mailbox)


def check_mailed_invitation(served: Served, admin: IdentityServiceStub, mailbox: Mailbox) -> None:
    admin.CreateUser(pb.CreateUserRequest(name="bob", email="bob@example.org"))
    anybody = with_token(served, "")
    for email in ("x@elsewhere.com", "x@example.org.evil.com", "BOB@example.org", "ada@example.org"):
        assert anybody.RequestInvitation(pb.RequestInvitationRequest(email=email)) == pb.RequestInvitationResponse()
    assert eventually(lambda: mailbox.mails)
    (mail,) = mailbox.mails
    assert mail["To"] == "ada@example.org"
    code = re.search(r"ldi_\S+", str(mail.get_payload()))
    assert code is not None
    account = anybody.Register(pb.RegisterRequest(code=code.group(), name="ada"))
    assert (account.user.email, account.user.role) == ("ada@example.org", types_pb2.ROLE_USER)
    with pytest.raises(errors.InvalidInput):
        anybody.RequestInvitation(pb.RequestInvitationRequest(email="no address"))


def test_without_domains_registration_is_closed(tmp_path: Path) -> None:
    with serve(build(Settings(data_dir=tmp_path, service_token=SecretStr("s")))) as closed:
        with pytest.raises(errors.FailedPrecondition) as caught:
            with_token(closed, "").RequestInvitation(pb.RequestInvitationRequest(email="a@example.org"))
        assert caught.value.reason is Reason.REGISTRATION_CLOSED


def test_a_mail_password_is_not_sent_in_clear(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="MAIL_TLS"):
        Settings(data_dir=tmp_path, mail_server="127.0.0.1:25", mail_sender="a@b", mail_user="u", mail_tls=False)


def test_mutations_and_sign_ins_are_in_the_audit_log(served: Served, admin: IdentityServiceStub) -> None:
    user = admin.CreateUser(pb.CreateUserRequest(name="ada")).user
    token = admin.CreateToken(pb.CreateTokenRequest(user_id="ada", label="x"))
    ada = with_token(served, token.secret)
    with pytest.raises(errors.PermissionDenied):
        ada.CreateUser(pb.CreateUserRequest(name="eve"))
    ada.RevokeToken(pb.RevokeTokenRequest(token_id=token.token.token_id))
    with pytest.raises(errors.Unauthenticated):
        ada.WhoAmI(pb.WhoAmIRequest())
    entries = admin.ListAuditEntries(pb.ListAuditEntriesRequest()).entries
    told = [(e.user_name, e.action.rpartition("/")[2], e.resource, e.code, e.reason) for e in reversed(entries)]
    assert told == [
        ("admin", SIGN_IN, told[0][2], "OK", ""),
        ("admin", "CreateUser", user.user_id, "OK", ""),
        ("admin", "CreateToken", token.token.token_id, "OK", ""),
        ("ada", SIGN_IN, token.token.token_id, "OK", ""),
        ("ada", "CreateUser", "", "PERMISSION_DENIED", "ROLE_TOO_LOW"),
        ("ada", "RevokeToken", token.token.token_id, "OK", ""),
        ("ada", SIGN_IN, token.token.token_id, "UNAUTHENTICATED", "TOKEN_INVALID"),
    ]
    assert not any(token.secret in str(entry) for entry in entries)
    assert all(entry.request_id and entry.HasField("time") for entry in entries)


def test_the_audit_log_is_filtered_and_paged(served: Served, admin: IdentityServiceStub) -> None:
    for name in ("u1", "u2", "u3"):
        admin.CreateUser(pb.CreateUserRequest(name=name))
    query = pb.ListAuditEntriesRequest(user_id="admin", action="createuser", page_size=2)
    first = admin.ListAuditEntries(query)
    rest = admin.ListAuditEntries(
        pb.ListAuditEntriesRequest(user_id="admin", action="createuser", page_size=2, page_token=first.next_page_token)
    )
    assert (len(first.entries), len(rest.entries), rest.next_page_token) == (2, 1, "")
    (one,) = admin.ListAuditEntries(pb.ListAuditEntriesRequest(resource=rest.entries[0].resource)).entries
    assert one == rest.entries[0]
    before = pb.ListAuditEntriesRequest(end_time=one.time)
    assert one not in admin.ListAuditEntries(before).entries
    with pytest.raises(errors.InvalidInput):
        admin.ListAuditEntries(pb.ListAuditEntriesRequest(page_token=first.next_page_token))


def test_other_services_entries_are_kept_once(served: Served, admin: IdentityServiceStub) -> None:
    service = with_token(served, SERVICE_TOKEN)
    entry = pb.AuditEntry(entry_id="e" * 32, user_id="7", user_name="ada", action="x/Delete", code="OK")
    entry.time.GetCurrentTime()
    entry.role = types_pb2.ROLE_USER
    for _ in range(2):
        service.RecordAuditEntries(pb.RecordAuditEntriesRequest(entries=[entry, entry]))
    assert list(admin.ListAuditEntries(pb.ListAuditEntriesRequest(user_id="7")).entries) == [entry]
    with pytest.raises(errors.PermissionDenied):
        admin.RecordAuditEntries(pb.RecordAuditEntriesRequest(entries=[entry]))


def test_roles_of_tokens_of_plain_users_stay(served: Served, admin: IdentityServiceStub) -> None:
    admin.CreateUser(pb.CreateUserRequest(name="ada"))
    made = admin.CreateToken(pb.CreateTokenRequest(user_id="ada", scopes=[types_pb2.SCOPE_ACCOUNT]))
    tokens = with_token(served, made.secret).ListTokens(pb.ListTokensRequest()).tokens
    assert [token.token_id for token in tokens] == [made.token.token_id]
    assert tokens[0].HasField("last_use_time")
