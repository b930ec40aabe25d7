"""Who may call each method, as its proto says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf import descriptor_pool

from learndock.account import Principal, Role, Scope
from learndock.errors import PermissionDenied, Reason, Unauthenticated
from learndock.v1 import types_pb2 as pb
from learndock.wire import enum_from_message

# Standard services that carry no options; they tell nothing of anybody's learnwares.
_OPEN_SERVICES = (
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)


@dataclass(frozen=True)
class Rule:
    """What a method's proto says of its callers; see `learndock.v1.Access`."""

    least_role: Role
    scope: Scope | None
    mutates: bool


def rules_of(services: Iterable[str]) -> Mapping[str, Rule]:
    """Rule by method path (``/package.Service/Method``) of services by full name.

    A method without the option is left out, and so refused to everybody.
    """
    pool = descriptor_pool.Default()
    return {
        f"/{service}/{method.name}": _rule(method.GetOptions().Extensions[pb.access])
        for service in services
        for method in pool.FindServiceByName(service).methods
        if method.GetOptions().HasExtension(pb.access)
    }


def _rule(access: pb.Access) -> Rule:
    role = Role(pb.Role.Name(access.least_role).removeprefix("ROLE_"))
    return Rule(role, enum_from_message(access.scope, pb.Scope, "SCOPE", Scope), access.mutates)


def is_open(method: str) -> bool:
    """Whether a method belongs to a standard service that anybody may call."""
    return method.split("/")[1] in _OPEN_SERVICES


def require(principal: Principal, method: str, rules: Mapping[str, Rule]) -> None:
    """Raise unless the principal may call the method."""
    rule = rules.get(method)
    name = method.rsplit("/", 1)[-1]
    if rule is not None and not principal.may_use(rule.scope):
        raise PermissionDenied(Reason.SCOPE_MISSING, f"The token may not be used for {name}; it lacks {rule.scope}.")
    if rule is not None and principal.role.permits(rule.least_role):
        return
    if principal.role is Role.ANONYMOUS and rule is not None:
        raise Unauthenticated(
            Reason.TOKEN_MISSING, "Send an API token as metadata 'authorization: Bearer TOKEN' (see `learndock login`)."
        )
    least = rule.least_role if rule is not None else "that nobody has"
    raise PermissionDenied(Reason.ROLE_TOO_LOW, f"{name} needs the role {least}.")
