"""Users, API tokens, invitations and the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
import uuid

from learndock.account import Invitation, Role, Scope, Token, User
from learndock.audit import AuditEntry
from learndock.client.values import NewInvitation, NewToken, Registration
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.wire import time_to_message
from learndock.wire_accounts import (
    audit_entry_from_message,
    invitation_from_message,
    role_to_message,
    scopes_to_message,
    token_from_message,
    user_from_message,
)

_PAGE_SIZE = 200


class Accounts:
    """The identity service, as its callers see it."""

    def __init__(self, stub: IdentityServiceStub) -> None:
        self._stub = stub

    def whoami(self) -> User:
        """The caller."""
        return user_from_message(self._stub.WhoAmI(pb.WhoAmIRequest()).user)

    def create_user(self, name: str, *, role: Role, email: str) -> User:
        """Make a user."""
        request = pb.CreateUserRequest(name=name, email=email, role=role_to_message(role), request_id=uuid.uuid4().hex)
        return user_from_message(self._stub.CreateUser(request).user)

    def get_user(self, user: str) -> User:
        """A user by id or name."""
        return user_from_message(self._stub.GetUser(pb.GetUserRequest(user_id=user)).user)

    def iterate_users(self, text: str) -> Iterator[User]:
        """Users whose name or e-mail holds `text`, page by page."""
        page_token = ""
        while True:
            page = self._stub.ListUsers(pb.ListUsersRequest(page_size=_PAGE_SIZE, page_token=page_token, text=text))
            yield from map(user_from_message, page.users)
            page_token = page.next_page_token
            if not page_token:
                return

    def update_user(self, user: str, *, role: Role | None, email: str | None, disabled: bool | None) -> User:
        """Change what is given."""
        request = pb.UpdateUserRequest(user=pb.User(user_id=self.get_user(user).user_id))
        if role is not None:
            request.user.role = role_to_message(role)
            request.update_mask.paths.append("role")
        if email is not None:
            request.user.email = email
            request.update_mask.paths.append("email")
        if disabled is not None:
            request.user.disabled = disabled
            request.update_mask.paths.append("disabled")
        return user_from_message(self._stub.UpdateUser(request).user)

    def create_token(self, label: str, *, user: str, lifetime_seconds: int, scopes: Iterable[Scope]) -> NewToken:
        """Make a token."""
        request = pb.CreateTokenRequest(
            user_id=user, label=label, lifetime_seconds=lifetime_seconds, scopes=scopes_to_message(scopes)
        )
        answer = self._stub.CreateToken(request)
        return NewToken(token_from_message(answer.token), answer.secret)

    def list_tokens(self, user: str) -> tuple[Token, ...]:
        """Tokens, newest first."""
        return tuple(map(token_from_message, self._stub.ListTokens(pb.ListTokensRequest(user_id=user)).tokens))

    def revoke_token(self, token_id: str) -> Token:
        """End a token."""
        return token_from_message(self._stub.RevokeToken(pb.RevokeTokenRequest(token_id=token_id)).token)

    def create_invitation(self, email: str, *, role: Role, lifetime_seconds: int) -> NewInvitation:
        """Invite somebody."""
        request = pb.CreateInvitationRequest(email=email, role=role_to_message(role), lifetime_seconds=lifetime_seconds)
        answer = self._stub.CreateInvitation(request)
        return NewInvitation(invitation_from_message(answer.invitation), answer.code)

    def list_invitations(self) -> tuple[Invitation, ...]:
        """Open invitations, newest first."""
        return tuple(map(invitation_from_message, self._stub.ListInvitations(pb.ListInvitationsRequest()).invitations))

    def revoke_invitation(self, invitation_id: str) -> None:
        """End an invitation."""
        self._stub.RevokeInvitation(pb.RevokeInvitationRequest(invitation_id=invitation_id))

    def request_invitation(self, email: str) -> None:
        """Have an invitation sent."""
        self._stub.RequestInvitation(pb.RequestInvitationRequest(email=email))

    def register(self, code: str, name: str, *, email: str) -> Registration:
        """Make an account of an invitation."""
        answer = self._stub.Register(pb.RegisterRequest(code=code, name=name, email=email))
        return Registration(user_from_message(answer.user), NewToken(token_from_message(answer.token), answer.secret))

    def iterate_audit_entries(
        self, *, user: str, action: str, resource: str, start: datetime | None, end: datetime | None
    ) -> Iterator[AuditEntry]:
        """Entries of the audit log, newest first, page by page."""
        request = pb.ListAuditEntriesRequest(
            page_size=_PAGE_SIZE,
            user_id=user,
            action=action,
            resource=resource,
            start_time=time_to_message(start),
            end_time=time_to_message(end),
        )
        while True:
            page = self._stub.ListAuditEntries(request)
            yield from map(audit_entry_from_message, page.entries)
            request.page_token = page.next_page_token
            if not request.page_token:
                return
