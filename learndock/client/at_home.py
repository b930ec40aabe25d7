"""What models that run at home leave in the user's cache, and how much of it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
import os
from pathlib import Path

import platformdirs

from learndock.errors import InvalidInput, Reason
from learndock.sandbox.environment import DEFAULT_MAX_BYTES, EnvironmentCache
from learndock.sandbox.package_shelf import PackageShelf

PACKAGES_VARIABLE = "LEARNDOCK_CACHE_BYTES"
ENVIRONMENTS_VARIABLE = "LEARNDOCK_CACHE_ENVIRONMENTS_BYTES"
DEFAULT_PACKAGES_BYTES = 20 * 2**30


@dataclass(frozen=True)
class AtHome:
    """The user's cache.

    Attributes
    ----------
    root
        Its folder.
    max_packages_bytes
        Size of all packages; beyond it those not used for longest go, never one in use.
    max_environments_bytes
        As much of installed requirements.
    """

    root: Path
    max_packages_bytes: int = DEFAULT_PACKAGES_BYTES
    max_environments_bytes: int = DEFAULT_MAX_BYTES

    @classmethod
    def of_user(cls, environment: Mapping[str, str] = os.environ) -> AtHome:
        """As the environment says: LEARNDOCK_CACHE_BYTES and LEARNDOCK_CACHE_ENVIRONMENTS_BYTES.

        Raises
        ------
        InvalidInput
            One of them is no number of bytes (FIELD_INVALID).
        """
        return cls(
            platformdirs.user_cache_path("learndock"),
            _bytes(environment, PACKAGES_VARIABLE, DEFAULT_PACKAGES_BYTES),
            _bytes(environment, ENVIRONMENTS_VARIABLE, DEFAULT_MAX_BYTES),
        )

    @property
    def packages(self) -> PackageShelf:
        """Packages of members."""
        return PackageShelf(self.root / "packages", self.max_packages_bytes)

    @property
    def environments(self) -> EnvironmentCache:
        """Installed requirements."""
        return EnvironmentCache(self.root / "environments", max_bytes=self.max_environments_bytes)

    @property
    def running(self) -> Path:
        """Folder of what runs."""
        return self.root / "running"


def _bytes(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput(Reason.FIELD_INVALID, f"{name} must be a number of bytes, not {text!r}.", field=name)
    return int(text)
