"""The rules of accounts and tokens: who may appoint whom, what a name is, when a token works."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
import hashlib
import re
import secrets
from uuid import uuid4

from sqlalchemy.orm import Session

from learndock.account import Principal, Role, Token, User
from learndock.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Reason,
    Unauthenticated,
)
from learndock.serving.sql import now
from services.identity import store

_NAME = re.compile(r"[A-Za-z0-9._-]{2,64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MAX_LABEL = 100
_MAX_LIFETIME = 100 * 366 * 24 * 3600
CHANGEABLE = ("email", "role", "disabled")


def secret_hash(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create_user(session: Session, caller: Principal, *, name: str, email: str, role: Role) -> User:
    """Make an account."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            Reason.FIELD_INVALID, "A name has 2 to 64 letters, digits, dots, dashes or underscores.", field="name"
        )
    _check_email(email)
    _check_appointable(role)
    _check_outranks(caller, role)
    if store.find_user(session, name) is not None:
        raise AlreadyExists(Reason.NAME_TAKEN, f"There is a user named {name}; choose another name.", resource=name)
    user = User(user_id=uuid4().hex, name=name, role=role, create_time=now(), email=email)
    store.add_user(session, user)
    return user


def get_user(session: Session, id_or_name: str) -> User:
    """Account by id or name."""
    user = store.find_user(session, id_or_name)
    if user is None:
        raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no user {id_or_name}.", resource=id_or_name)
    return user


def update_user(session: Session, caller: Principal, changed: User, fields: Sequence[str]) -> User:
    """Change e-mail, role or the disabled flag."""
    for field in fields:
        if field not in CHANGEABLE:
            raise InvalidInput(
                Reason.FIELD_INVALID, f"Only {', '.join(CHANGEABLE)} can be changed, not {field}.", field="update_mask"
            )
    user = get_user(session, changed.user_id)
    _check_outranks(caller, user.role)
    if "role" in fields:
        _check_appointable(changed.role)
        _check_outranks(caller, changed.role)
    if "email" in fields:
        _check_email(changed.email)
    updated = User(
        user_id=user.user_id,
        name=user.name,
        create_time=user.create_time,
        email=changed.email if "email" in fields else user.email,
        role=changed.role if "role" in fields else user.role,
        disabled=changed.disabled if "disabled" in fields else user.disabled,
    )
    store.update_user(session, updated)
    if not store.has_superadmin(session):
        raise FailedPrecondition(Reason.LAST_ADMIN, "The dock needs a superadmin; appoint another one first.")
    return updated


def create_token(
    session: Session, caller: Principal, *, of: str, label: str, lifetime_seconds: int
) -> tuple[Token, str]:
    """Make a token; its secret is told here and never again."""
    if len(label) > _MAX_LABEL:
        raise InvalidInput(Reason.FIELD_INVALID, f"A label has at most {_MAX_LABEL} characters.", field="label")
    if lifetime_seconds > _MAX_LIFETIME:
        raise InvalidInput(Reason.FIELD_INVALID, "A lifetime is at most 100 years.", field="lifetime_seconds")
    user = _self_or_lower(session, caller, of)
    return issue_token(session, user.user_id, label=label, lifetime_seconds=lifetime_seconds)


def issue_token(
    session: Session, user_id: str, *, label: str, lifetime_seconds: int = 0, secret: str | None = None
) -> tuple[Token, str]:
    """Make a token without asking who may."""
    secret = secret or new_secret()
    created = now()
    token = Token(
        token_id=uuid4().hex,
        user_id=user_id,
        label=label,
        create_time=created,
        expire_time=created + timedelta(seconds=lifetime_seconds) if lifetime_seconds else None,
    )
    store.add_token(session, token, secret_hash(secret))
    return token, secret


def new_secret() -> str:
    """A secret that cannot be guessed, with a prefix by which leaked ones are found."""
    return f"ldk_{secrets.token_urlsafe(32)}"


def list_tokens(session: Session, caller: Principal, of: str) -> list[Token]:
    """Tokens of the caller, or of a user of lower role."""
    return store.tokens_of(session, _self_or_lower(session, caller, of).user_id)


def revoke_token(session: Session, caller: Principal, token_id: str) -> Token:
    """End a token; ending it again changes nothing."""
    token = store.find_token(session, token_id)
    owner = store.find_user(session, token.user_id) if token else None
    if token is None or owner is None or not _is_self_or_lower(caller, owner):
        raise NotFound(Reason.RESOURCE_UNKNOWN, f"You have no token {token_id}.", resource=token_id)
    return store.revoke_token(session, token_id)


def authenticate(session: Session, secret: str) -> User:
    """Account that holds a secret, if it works."""
    token = store.find_token_by_hash(session, secret_hash(secret))
    user = store.find_user(session, token.user_id) if token else None
    if token is None or user is None or token.revoke_time is not None:
        raise Unauthenticated(Reason.TOKEN_INVALID, "The token is unknown or was revoked; get another one.")
    if token.expire_time is not None and token.expire_time <= now():
        raise Unauthenticated(Reason.TOKEN_EXPIRED, "The token has ended; get another one.")
    if user.disabled:
        raise Unauthenticated(Reason.USER_DISABLED, "The account is disabled; ask an admin.")
    return user


def _self_or_lower(session: Session, caller: Principal, of: str) -> User:
    user = get_user(session, of or caller.user_id)
    if not _is_self_or_lower(caller, user):
        raise PermissionDenied(Reason.ROLE_TOO_LOW, "Tokens of others are for admins of higher role.")
    return user


def _is_self_or_lower(caller: Principal, user: User) -> bool:
    return user.user_id == caller.user_id or caller.role.outranks(user.role)


def _check_outranks(caller: Principal, role: Role) -> None:
    if not caller.role.outranks(role):
        raise PermissionDenied(Reason.ROLE_TOO_LOW, f"A {caller.role} may not make or change a {role}.")


def _check_appointable(role: Role) -> None:
    if role not in (Role.USER, Role.ADMIN, Role.SUPERADMIN):
        raise InvalidInput(Reason.FIELD_INVALID, f"A user cannot have the role {role}.", field="role")


def _check_email(email: str) -> None:
    if email and (len(email) > 254 or not _EMAIL.fullmatch(email)):  # RFC 5321
        raise InvalidInput(Reason.FIELD_INVALID, "That is no e-mail address.", field="email")
