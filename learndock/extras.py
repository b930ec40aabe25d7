"""Optional packages, by the extra of learndock that brings them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from learndock.errors import FailedPrecondition, Reason


def module_of(extra: str, name: str) -> ModuleType:
    """A module that an extra of learndock brings.

    Raises
    ------
    FailedPrecondition
        It is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise _missing(extra, error.name or name) from error


def version_of(extra: str, distribution: str) -> str:
    """Version of a package that an extra of learndock brings; imports nothing.

    Raises
    ------
    FailedPrecondition
        It is not installed.
    """
    try:
        return version(distribution)
    except PackageNotFoundError as error:
        raise _missing(extra, distribution) from error


def _missing(extra: str, package: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.EXTRA_MISSING,
        f"The package {package} is not installed; `pip install learndock[{extra}]` brings it.",
        resource=package,
    )
