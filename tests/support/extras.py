"""Tests of what an optional package brings: skipped in loud words where it is missing, failed in CI."""

from __future__ import annotations

from importlib.util import find_spec
import os

import pytest


def require(*modules: str) -> None:
    """Go on only if the modules are installed."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"{', '.join(missing)} is not installed, and CI must have it", pytrace=False)
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
