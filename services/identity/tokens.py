"""The rules of API tokens: who may make and end them, what they may be used for, and when they work."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta
import hashlib
import secrets
from uuid import uuid4

from sqlalchemy.orm import Session

from learndock.account import Principal, Scope, Token, User
from learndock.errors import InvalidInput, NotFound, PermissionDenied, Reason, Unauthenticated
from learndock.serving.sql import now
from services.identity import store
from services.identity.accounts import get_user

_MAX_LABEL = 100
_MAX_LIFETIME = 100 * 366 * 24 * 3600


def secret_hash(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(prefix: str = "ldk") -> str:
    """A secret that cannot be guessed, with a prefix by which leaked ones are found."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def create_token(
    session: Session, caller: Principal, *, of: str, label: str, lifetime_seconds: int, scopes: AbstractSet[Scope]
) -> tuple[Token, str]:
    """Make a token; its secret is told here and never again."""
    if len(label) > _MAX_LABEL:
        raise InvalidInput(Reason.FIELD_INVALID, f"A label has at most {_MAX_LABEL} characters.", field="label")
    if lifetime_seconds > _MAX_LIFETIME:
        raise InvalidInput(Reason.FIELD_INVALID, "A lifetime is at most 100 years.", field="lifetime_seconds")
    if caller.scopes and not (scopes and scopes <= caller.scopes):
        raise PermissionDenied(Reason.SCOPE_MISSING, "A token makes no token that may more than itself.")
    user = _self_or_lower(session, caller, of)
    return issue_token(session, user.user_id, label=label, lifetime_seconds=lifetime_seconds, scopes=scopes)


def issue_token(
    session: Session,
    user_id: str,
    *,
    label: str,
    lifetime_seconds: int = 0,
    scopes: AbstractSet[Scope] = frozenset(),
) -> tuple[Token, str]:
    """Make a token without asking who may."""
    secret = new_secret()
    created = now()
    token = Token(
        token_id=uuid4().hex,
        user_id=user_id,
        label=label,
        create_time=created,
        expire_time=created + timedelta(seconds=lifetime_seconds) if lifetime_seconds else None,
        scopes=frozenset(scopes),
    )
    store.add_token(session, token, secret_hash(secret))
    return token, secret


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


def find_by_secret(session: Session, secret: str) -> tuple[Token, User]:
    """Token of a secret and the account that it belongs to, whether they work or not.

    Raises
    ------
    Unauthenticated
        TOKEN_INVALID: there is none.
    """
    token = store.find_token_by_hash(session, secret_hash(secret))
    user = store.find_user(session, token.user_id) if token else None
    if token is None or user is None:
        raise Unauthenticated(Reason.TOKEN_INVALID, "The token is unknown or was revoked; get another one.")
    return token, user


def check_works(token: Token, user: User) -> None:
    """Raise `Unauthenticated` unless a token works now."""
    if token.revoke_time is not None:
        raise Unauthenticated(Reason.TOKEN_INVALID, "The token is unknown or was revoked; get another one.")
    if token.expire_time is not None and token.expire_time <= now():
        raise Unauthenticated(Reason.TOKEN_EXPIRED, "The token has ended; get another one.")
    check_enabled(user)


def check_enabled(user: User) -> None:
    """Raise `Unauthenticated` for a disabled account."""
    if user.disabled:
        raise Unauthenticated(Reason.USER_DISABLED, "The account is disabled; ask an admin.")


def _self_or_lower(session: Session, caller: Principal, of: str) -> User:
    user = get_user(session, of or caller.user_id)
    if not _is_self_or_lower(caller, user):
        raise PermissionDenied(Reason.ROLE_TOO_LOW, "Tokens of others are for admins of higher role.")
    return user


def _is_self_or_lower(caller: Principal, user: User) -> bool:
    return user.user_id == caller.user_id or caller.role.outranks(user.role)
