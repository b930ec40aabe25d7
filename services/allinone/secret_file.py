"""Secrets that a dock makes for itself at its first start."""

from __future__ import annotations

import os
from pathlib import Path
import secrets


def secret_in(path: Path) -> str:
    """The secret in a file of mode 0600, made when it is not there."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
        partial.rename(path)
    return path.read_text().strip()
