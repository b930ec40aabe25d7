"""Accounts and tokens to messages and back."""

from __future__ import annotations

from learndock.account import Role, Token, User
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import enum_from_message, enum_to_message, time_from_message, time_to_message


def user_to_message(user: User) -> pb.User:
    """Message of an account."""
    return pb.User(
        user_id=user.user_id,
        name=user.name,
        email=user.email,
        role=enum_to_message(user.role, types_pb2.Role, "ROLE"),
        disabled=user.disabled,
        create_time=time_to_message(user.create_time),
    )


def user_from_message(message: pb.User) -> User:
    """Account of a message; an unspecified role is USER."""
    return User(
        user_id=message.user_id,
        name=message.name,
        role=role_from_message(message.role),
        create_time=time_from_message(message.create_time),
        email=message.email,
        disabled=message.disabled,
    )


def role_from_message(number: types_pb2.Role.ValueType) -> Role:
    """Role of a message enum; unspecified is USER."""
    return enum_from_message(number, types_pb2.Role, "ROLE", Role) or Role.USER


def token_to_message(token: Token) -> pb.Token:
    """Message of a token."""
    return pb.Token(
        token_id=token.token_id,
        user_id=token.user_id,
        label=token.label,
        create_time=time_to_message(token.create_time),
        expire_time=time_to_message(token.expire_time),
        revoke_time=time_to_message(token.revoke_time),
    )
