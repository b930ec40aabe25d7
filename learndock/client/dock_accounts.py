"""What a connection to a dock does with users, tokens, invitations and the audit log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from learndock.account import Invitation, Role, Scope, Token, User
from learndock.audit import AuditEntry
from learndock.client.accounts import Accounts
from learndock.client.values import NewInvitation, NewToken, Registration
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub


class AccountMethods:
    """The part of `learndock.Dock` that the identity service answers."""

    def whoami(self) -> User:
        """The account that the token belongs to."""
        return self._accounts.whoami()

    def create_user(self, name: str, *, role: Role = Role.USER, email: str = "") -> User:
        """Make a user; for admins."""
        return self._accounts.create_user(name, role=role, email=email)

    def list_users(self, *, text: str = "") -> Iterator[User]:
        """Users whose name or e-mail holds `text`, page by page; for admins."""
        return self._accounts.iterate_users(text)

    def update_user(
        self, user: str, *, role: Role | None = None, email: str | None = None, disabled: bool | None = None
    ) -> User:
        """Change what is given of a user, told by id or name; for admins."""
        return self._accounts.update_user(user, role=role, email=email, disabled=disabled)

    def create_token(
        self, label: str, *, user: str = "", lifetime_seconds: int = 0, scopes: Iterable[Scope] = ()
    ) -> NewToken:
        """Make an API token for the caller, or for another user by an admin.

        0 seconds last for ever; without scopes it may do all that its owner may.
        """
        return self._accounts.create_token(label, user=user, lifetime_seconds=lifetime_seconds, scopes=scopes)

    def list_tokens(self, *, user: str = "") -> tuple[Token, ...]:
        """The caller's tokens, or another user's for an admin, newest first."""
        return self._accounts.list_tokens(user)

    def revoke_token(self, token_id: str) -> Token:
        """End a token."""
        return self._accounts.revoke_token(token_id)

    def create_invitation(self, *, email: str = "", role: Role = Role.USER, lifetime_seconds: int = 0) -> NewInvitation:
        """Invite somebody to register, with an address only its owner; for admins. 0 seconds are 7 days."""
        return self._accounts.create_invitation(email, role=role, lifetime_seconds=lifetime_seconds)

    def list_invitations(self) -> tuple[Invitation, ...]:
        """Invitations that were not used, newest first; for admins."""
        return self._accounts.list_invitations()

    def revoke_invitation(self, invitation_id: str) -> None:
        """End an invitation; for admins."""
        self._accounts.revoke_invitation(invitation_id)

    def request_invitation(self, email: str) -> None:
        """Have an invitation sent to an address, if the dock admits its domain; needs no token."""
        self._accounts.request_invitation(email)

    def register(self, code: str, name: str, *, email: str = "") -> Registration:
        """Make an account of an invitation, with its first token; needs no token."""
        return self._accounts.register(code, name, email=email)

    def list_audit_entries(
        self,
        *,
        user: str = "",
        action: str = "",
        resource: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Iterator[AuditEntry]:
        """Who changed what and who signed in, newest first, page by page; for admins.

        Parameters
        ----------
        user
            Id or name of who did it.
        action
            Part of a method's name, such as "Delete", or "sign-in".
        resource
            Id of what it was done to.
        start, end
            First and last time, the last excluded; aware.
        """
        return self._accounts.iterate_audit_entries(user=user, action=action, resource=resource, start=start, end=end)

    @property
    def _identity(self) -> IdentityServiceStub:
        raise NotImplementedError

    @property
    def _accounts(self) -> Accounts:
        return Accounts(self._identity)
