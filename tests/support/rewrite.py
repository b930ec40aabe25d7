"""Packages with some members changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
import zipfile


def rewritten(source: Path, target: Path, change: Mapping[str, bytes | None]) -> Path:
    """Copy of a package in which some members have other content; None leaves a member out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name not in change:
                new.writestr(name, old.read(name))
        for name, content in change.items():
            if content is not None:
                new.writestr(name, content)
    return target
