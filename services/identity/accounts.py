"""The rules of accounts: who may appoint whom, what a name is."""

from __future__ import annotations

from collections.abc import Sequence
import re
from uuid import uuid4

from sqlalchemy.orm import Session

from learndock.account import Principal, Role, User
from learndock.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Reason,
)
from learndock.serving.sql import now
from services.identity import store

_NAME = re.compile(r"[A-Za-z0-9._-]{2,64}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
CHANGEABLE = ("email", "role", "disabled")


def create_user(session: Session, caller: Principal, *, name: str, email: str, role: Role) -> User:
    """Make an account for somebody, as a caller who may."""
    check_outranks(caller, role)
    return enter_user(session, name=name, email=email, role=role)


def enter_user(session: Session, *, name: str, email: str, role: Role) -> User:
    """Make an account without asking who may."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            Reason.FIELD_INVALID, "A name has 2 to 64 letters, digits, dots, dashes or underscores.", field="name"
        )
    check_email(email)
    check_appointable(role)
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
    check_outranks(caller, user.role)
    if "role" in fields:
        check_appointable(changed.role)
        check_outranks(caller, changed.role)
    if "email" in fields:
        check_email(changed.email)
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


def check_outranks(caller: Principal, role: Role) -> None:
    """Raise unless the caller may make and change users of a role."""
    if not caller.role.outranks(role):
        raise PermissionDenied(Reason.ROLE_TOO_LOW, f"A {caller.role} may not make or change a {role}.")


def check_appointable(role: Role) -> None:
    """Raise for a role that no user has."""
    if role not in (Role.USER, Role.ADMIN, Role.SUPERADMIN):
        raise InvalidInput(Reason.FIELD_INVALID, f"A user cannot have the role {role}.", field="role")


def check_email(email: str) -> None:
    """Raise for what is no address; an empty one passes."""
    if email and (len(email) > 254 or not _EMAIL.fullmatch(email)):  # RFC 5321
        raise InvalidInput(Reason.FIELD_INVALID, "That is no e-mail address.", field="email")
