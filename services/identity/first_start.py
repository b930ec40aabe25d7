"""The first account of a new dock."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

from learndock.account import Role, User
from learndock.serving.sql import Database, now
from services.identity import store, tokens

ADMIN_NAME = "admin"


def appoint_superadmin(database: Database, token_file: Path) -> None:
    """Make the account ``admin`` in a dock without users and leave its token in a file of mode 0600.

    The file is written before the account is committed: whatever happens in between, the next start does both again.
    """
    with database.write() as session:
        store.keep_others_from_adding(session)  # replicas that start together must not appoint two
        if store.list_users(session, text="", after=0, size=1):
            return
        admin = User(user_id=uuid4().hex, name=ADMIN_NAME, role=Role.SUPERADMIN, create_time=now())
        store.add_user(session, admin)
        _, secret = tokens.issue_token(session, admin.user_id, label="first token")
        _write_secret(token_file, secret)


def _write_secret(path: Path, secret: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
