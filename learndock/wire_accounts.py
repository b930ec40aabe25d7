"""Accounts, tokens, invitations and audit entries to messages and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from learndock.account import Invitation, Role, Scope, Token, User
from learndock.audit import AuditEntry
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import enum_from_message, enum_to_message, time_from_message, time_to_message


def role_to_message(role: Role) -> types_pb2.Role.ValueType:
    """Message enum of a role."""
    return enum_to_message(role, types_pb2.Role, "ROLE")


def role_from_message(number: types_pb2.Role.ValueType) -> Role:
    """Role of a message enum; unspecified is USER."""
    return enum_from_message(number, types_pb2.Role, "ROLE", Role) or Role.USER


def scopes_to_message(scopes: Iterable[Scope]) -> list[types_pb2.Scope.ValueType]:
    """Message enums of scopes, in order."""
    return sorted(enum_to_message(scope, types_pb2.Scope, "SCOPE") for scope in scopes)


def scopes_from_message(numbers: Sequence[types_pb2.Scope.ValueType]) -> frozenset[Scope]:
    """Scopes of message enums; one that this version does not know grants what every token may, never more."""
    words = [enum_from_message(number, types_pb2.Scope, "SCOPE", Scope) for number in numbers]
    return frozenset(word or Scope.READ for word in words)


def user_to_message(user: User) -> pb.User:
    """Message of an account."""
    return pb.User(
        user_id=user.user_id,
        name=user.name,
        email=user.email,
        role=role_to_message(user.role),
        disabled=user.disabled,
        create_time=time_to_message(user.create_time),
    )


def user_from_message(message: pb.User) -> User:
    """Account of a message."""
    return User(
        user_id=message.user_id,
        name=message.name,
        role=role_from_message(message.role),
        create_time=time_from_message(message.create_time),
        email=message.email,
        disabled=message.disabled,
    )


def token_to_message(token: Token) -> pb.Token:
    """Message of a token."""
    return pb.Token(
        token_id=token.token_id,
        user_id=token.user_id,
        label=token.label,
        create_time=time_to_message(token.create_time),
        expire_time=time_to_message(token.expire_time),
        revoke_time=time_to_message(token.revoke_time),
        scopes=scopes_to_message(token.scopes),
        last_use_time=time_to_message(token.last_use_time),
    )


def token_from_message(message: pb.Token) -> Token:
    """Token of a message."""
    return Token(
        token_id=message.token_id,
        user_id=message.user_id,
        label=message.label,
        create_time=time_from_message(message.create_time),
        expire_time=optional_time(message, "expire_time"),
        revoke_time=optional_time(message, "revoke_time"),
        scopes=scopes_from_message(message.scopes),
        last_use_time=optional_time(message, "last_use_time"),
    )


def invitation_to_message(invitation: Invitation) -> pb.Invitation:
    """Message of an invitation."""
    return pb.Invitation(
        invitation_id=invitation.invitation_id,
        email=invitation.email,
        role=role_to_message(invitation.role),
        inviter_id=invitation.inviter_id,
        create_time=time_to_message(invitation.create_time),
        expire_time=time_to_message(invitation.expire_time),
    )


def invitation_from_message(message: pb.Invitation) -> Invitation:
    """Invitation of a message."""
    return Invitation(
        invitation_id=message.invitation_id,
        email=message.email,
        role=role_from_message(message.role),
        inviter_id=message.inviter_id,
        create_time=time_from_message(message.create_time),
        expire_time=time_from_message(message.expire_time),
    )


def audit_entry_to_message(entry: AuditEntry) -> pb.AuditEntry:
    """Message of an audit entry."""
    return pb.AuditEntry(
        entry_id=entry.entry_id,
        time=time_to_message(entry.time),
        user_id=entry.user_id,
        user_name=entry.user_name,
        role=role_to_message(entry.role),
        action=entry.action,
        resource=entry.resource,
        code=entry.code,
        reason=entry.reason,
        request_id=entry.request_id,
        peer=entry.peer,
    )


def audit_entry_from_message(message: pb.AuditEntry) -> AuditEntry:
    """Audit entry of a message."""
    return AuditEntry(
        entry_id=message.entry_id,
        time=time_from_message(message.time),
        user_id=message.user_id,
        user_name=message.user_name,
        role=enum_from_message(message.role, types_pb2.Role, "ROLE", Role) or Role.ANONYMOUS,
        action=message.action,
        code=message.code,
        resource=message.resource,
        reason=message.reason,
        request_id=message.request_id,
        peer=message.peer,
    )


def optional_time(message: Message, field: str) -> datetime | None:
    """Time in a field of a message; None where it is unset."""
    stamp: Timestamp = getattr(message, field)
    return time_from_message(stamp) if message.HasField(field) else None
