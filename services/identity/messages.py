"""Requests of the identity service to values."""

from __future__ import annotations

from collections.abc import Sequence

from learndock.account import Role, Scope, User
from learndock.errors import InvalidInput, Reason
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire_accounts import optional_time, role_from_message, scopes_from_message, user_from_message
from services.identity.audit import AuditQuery


def requested_role(number: types_pb2.Role.ValueType, field: str = "role") -> Role:
    """Role that a request names; unspecified is USER, an unknown one is refused."""
    if number not in types_pb2.Role.values():
        raise InvalidInput(Reason.FIELD_INVALID, f"There is no role {number}.", field=field)
    return role_from_message(number)


def requested_scopes(numbers: Sequence[types_pb2.Scope.ValueType]) -> frozenset[Scope]:
    """Scopes that a request names; an unknown one is refused."""
    for number in numbers:
        if number == types_pb2.SCOPE_UNSPECIFIED or number not in types_pb2.Scope.values():
            raise InvalidInput(Reason.FIELD_INVALID, f"There is no scope {number}.", field="scopes")
    return scopes_from_message(numbers)


def changed_user(message: pb.User) -> User:
    """An account with its new values."""
    requested_role(message.role, "user.role")
    return user_from_message(message)


def audit_query(request: pb.ListAuditEntriesRequest) -> AuditQuery:
    """Which entries are asked for."""
    return AuditQuery(
        user=request.user_id,
        action=request.action,
        resource=request.resource,
        start=optional_time(request, "start_time"),
        end=optional_time(request, "end_time"),
    )
