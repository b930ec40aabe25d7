"""The least role of each method, as its proto says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf import descriptor_pool

from learndock.account import Principal, Role
from learndock.errors import PermissionDenied, Reason, Unauthenticated
from learndock.v1 import types_pb2 as pb

# Standard services that carry no options; they tell nothing of anybody's learnwares.
_OPEN_SERVICES = (
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)


def least_roles(services: Iterable[str]) -> Mapping[str, Role]:
    """Least role by method path (``/package.Service/Method``) of services by full name.

    A method without the option is left out, and so refused to everybody.
    """
    pool = descriptor_pool.Default()
    roles = {}
    for service in services:
        for method in pool.FindServiceByName(service).methods:
            options = method.GetOptions()
            if options.HasExtension(pb.access):
                name = pb.Role.Name(options.Extensions[pb.access].least_role)
                roles[f"/{service}/{method.name}"] = Role(name.removeprefix("ROLE_"))
    return roles


def is_open(method: str) -> bool:
    """Whether a method belongs to a standard service that anybody may call."""
    return method.split("/")[1] in _OPEN_SERVICES


def require(principal: Principal, method: str, roles: Mapping[str, Role]) -> None:
    """Raise unless the principal may call the method."""
    least = roles.get(method)
    if least is not None and principal.role.permits(least):
        return
    if principal.role is Role.ANONYMOUS and least is not None:
        raise Unauthenticated(
            Reason.TOKEN_MISSING, "Send an API token as metadata 'authorization: Bearer TOKEN' (see `learndock login`)."
        )
    raise PermissionDenied(
        Reason.ROLE_TOO_LOW, f"{method.rsplit('/', 1)[-1]} needs the role {least or 'that nobody has'}."
    )
