"""Pinned versions that cannot be had: kept, which refuses the package, or relaxed to the nearest ones that can."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from packaging.requirements import Requirement
from packaging.version import Version

from learndock.errors import InvalidInput
from learndock.sandbox.installer import Alive, Installer


class PinPolicy(StrEnum):
    """What becomes of a requirement for which there is no wheel."""

    KEEP_PINS = "KEEP_PINS"
    """The package is refused, with what exists."""
    RELAX_PINS = "RELAX_PINS"
    """The nearest version that exists is taken, and the report says so."""


def relaxed(lines: Sequence[str], installer: Installer, alive: Alive) -> dict[str, str]:
    """For each of `lines` that cannot be met, the nearest that can.

    Raises
    ------
    InvalidInput
        UNSUPPORTED_DEPENDENCY: nothing near exists; the error is that of the resolution.
    """
    found: dict[str, str] = {}
    for line in installer.unavailable(lines, alive):
        nearest = installer.first(nearest_to(line), alive)
        if nearest is not None:
            found[line] = nearest
    return found


def nearest_to(line: str) -> tuple[tuple[str, str], ...]:
    """Requirements near a pinned one, the nearest first, each with the strategy by which uv picks the version.

    The same minor version comes first, then the next newer one, then the next older one. None for a line without a
    pin: what has no upper or lower end cannot be approached.
    """
    requirement = Requirement(line)
    versions = [Version(each.version.removesuffix(".*")) for each in requirement.specifier if each.operator in _PINS]
    if not versions:
        return ()
    version = versions[0]
    name = requirement.name + (f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else "")
    return (
        (f"{name}=={version.major}.{version.minor}.*", "highest"),
        (f"{name}>={version}", "lowest-direct"),
        (f"{name}<{version}", "highest"),
    )


_PINS = ("==", "===", "~=", "<=", "<", ">=", ">")


def resolve(
    lines: Sequence[str], installer: Installer, policy: PinPolicy, alive: Alive
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A lock that meets `lines`, and what was relaxed for it, each as `asked for -> taken`."""
    try:
        return installer.resolve(lines, alive), ()
    except InvalidInput:
        changes = relaxed(lines, installer, alive) if policy is PinPolicy.RELAX_PINS else {}
        if not changes:
            raise
    lock = installer.resolve([changes.get(line, line) for line in lines], alive)
    return lock, tuple(f"{asked} -> {taken}" for asked, taken in changes.items())
