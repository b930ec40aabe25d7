"""What the audit log holds: who changed what, and who signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from learndock.account import Role

SIGN_IN = "sign-in"
"""Action of an entry that tells of a credential's use after a while without."""


@dataclass(frozen=True)
class AuditEntry:
    """Something that was done in the dock, or tried; the fields are those of `learndock.v1.AuditEntry`."""

    entry_id: str
    time: datetime
    user_id: str
    user_name: str
    role: Role
    action: str
    code: str
    resource: str = ""
    reason: str = ""
    request_id: str = ""
    peer: str = ""
