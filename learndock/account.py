"""Who callers are: roles, users, tokens and invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; see `learndock.v1.Role` for each."""

    ANONYMOUS = "ANONYMOUS"
    USER = "USER"
    ADMIN = "ADMIN"
    SUPERADMIN = "SUPERADMIN"
    SERVICE = "SERVICE"

    def permits(self, least: Role) -> bool:
        """Whether a caller of this role may call a method that needs `least`.

        A service acts for users and keeps methods of its own; it never administers.
        """
        if self is Role.SERVICE:
            return least in (Role.ANONYMOUS, Role.USER, Role.SERVICE)
        return least is not Role.SERVICE and _RANK[self] >= _RANK[least]

    @property
    def administers(self) -> bool:
        """Whether the role looks after other people's learnwares."""
        return self in (Role.ADMIN, Role.SUPERADMIN)

    def outranks(self, other: Role) -> bool:
        """Whether the role may appoint, change and disable users of role `other`."""
        return self is Role.SUPERADMIN or (self is Role.ADMIN and other is Role.USER)


class Scope(StrEnum):
    """What a credential may be used for; see `learndock.v1.Scope` for each."""

    READ = "READ"
    SUBMIT = "SUBMIT"
    REUSE = "REUSE"
    ACCOUNT = "ACCOUNT"
    ADMINISTER = "ADMINISTER"


_RANK = {Role.ANONYMOUS: 0, Role.USER: 1, Role.ADMIN: 2, Role.SUPERADMIN: 3}


@dataclass(frozen=True)
class User:
    """An account."""

    user_id: str
    name: str
    role: Role
    create_time: datetime
    email: str = ""
    disabled: bool = False


@dataclass(frozen=True)
class Token:
    """An API token without its secret."""

    token_id: str
    user_id: str
    label: str
    create_time: datetime
    expire_time: datetime | None = None
    revoke_time: datetime | None = None
    scopes: frozenset[Scope] = frozenset()
    last_use_time: datetime | None = None


@dataclass(frozen=True)
class Invitation:
    """An invitation to register, without its code."""

    invitation_id: str
    email: str
    role: Role
    inviter_id: str
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True)
class Principal:
    """The caller of a method.

    Attributes
    ----------
    user_id
        Id of the account; empty for an anonymous caller.
    name
        Its name.
    role
        Its role, as far as the credential may use it.
    scopes
        What the credential may be used for; empty for all that the account may do.
    """

    user_id: str
    name: str
    role: Role
    scopes: frozenset[Scope] = frozenset()

    def may_use(self, scope: Scope | None) -> bool:
        """Whether the credential is good for a method of a scope; one of no scope is for credentials without any."""
        return not self.scopes or scope is Scope.READ or scope in self.scopes

    def may_see(self, owner_id: str, *, private: bool) -> bool:
        """Whether the caller may know of a learnware."""
        return not private or self.may_change(owner_id) or self.role is Role.SERVICE

    def may_change(self, owner_id: str) -> bool:
        """Whether the caller may change what belongs to `owner_id`."""
        return self.role.administers or (bool(self.user_id) and self.user_id == owner_id)


ANONYMOUS = Principal(user_id="", name="anonymous", role=Role.ANONYMOUS)
