"""What a user may keep in a dock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """An amount of what quotas are about; as an override, 0 stands for the dock's own limit.

    Attributes
    ----------
    bytes
        Bytes of all versions, and of uploads in flight.
    learnwares
        Learnwares, deleted ones too until they are gone for ever.
    versions
        Versions of all learnwares together.
    uploads
        Uploads in flight.
    """

    bytes: int = 0
    learnwares: int = 0
    versions: int = 0
    uploads: int = 0


@dataclass(frozen=True)
class Quota:
    """What a user may keep.

    Attributes
    ----------
    user_id
        The user.
    limit
        How much.
    used
        How much of it is used.
    """

    user_id: str
    limit: Allowance
    used: Allowance
