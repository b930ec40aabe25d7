"""Who is signed in: sealed cookies, and the tokens that prove a form to be ours."""

from __future__ import annotations

import base64
from dataclasses import dataclass
import hashlib
import hmac
import json
import secrets

from cryptography.fernet import Fernet, InvalidToken

COOKIE = "learndock_session"
# Browsers keep 4,096 bytes of a cookie, its name and attributes among them.
MAX_SEALED = 3900
_SHORT_SECONDS = 600


@dataclass(frozen=True, repr=False)
class Session:
    """One browser's sitting.

    Attributes
    ----------
    session_id
        Random; new at each sign-in.
    token
        Secret of the API token that the visitor signed in with; empty before.
    """

    session_id: str
    token: str = ""

    @classmethod
    def begin(cls, token: str = "") -> Session:
        """A new sitting."""
        return cls(secrets.token_urlsafe(18), token)

    @property
    def signed_in(self) -> bool:
        """Whether the visitor told who they are."""
        return bool(self.token)

    def __repr__(self) -> str:
        return f"Session(signed_in={self.signed_in})"


class SessionSeal:
    """Turns sessions into cookies that nobody else can read or make.

    The dock's token lies in the cookie, encrypted and authenticated, so that replicas share no memory and a restart
    signs nobody out.

    Parameters
    ----------
    secret
        The console's secret.
    lifetime_seconds
        After which a cookie is worth nothing.
    """

    def __init__(self, secret: str, lifetime_seconds: float) -> None:
        self.lifetime_seconds = round(lifetime_seconds)
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(secret, b"learndock console session")))
        self._form_key = _derived(secret, b"learndock console forms")

    def seal(self, session: Session) -> str:
        """Cookie of a session."""
        return self._fernet.encrypt(json.dumps([session.session_id, session.token]).encode()).decode()

    def open(self, cookie: str) -> Session | None:
        """Session of a cookie; None for one that is forged, damaged or too old."""
        try:
            session_id, token = json.loads(self._fernet.decrypt(cookie, ttl=self.lifetime_seconds))
        except (InvalidToken, ValueError):
            return None
        return Session(session_id, token)

    def seal_text(self, text: str) -> str:
        """A cookie for something else that only we may read and write."""
        return self._fernet.encrypt(text.encode()).decode()

    def open_text(self, cookie: str) -> str:
        """What such a cookie holds, for ten minutes; `cryptography.fernet.InvalidToken` otherwise."""
        return self._fernet.decrypt(cookie, ttl=_SHORT_SECONDS).decode()

    def form_token(self, session: Session) -> str:
        """What each form of this session carries along, so that no other site can send it."""
        return hmac.new(self._form_key, session.session_id.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, given: str) -> bool:
        """Whether a form came from one of this session's pages."""
        return hmac.compare_digest(self.form_token(session).encode(), given.encode())


def _derived(secret: str, purpose: bytes) -> bytes:
    return hashlib.sha256(purpose + b"\0" + secret.encode()).digest()
