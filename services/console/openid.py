"""Signing in through an OpenID provider: the authorization code flow with PKCE.

The ID token becomes the session's token. The dock verifies its signature, issuer, audience and time with every call;
here only what the dock cannot know is checked: that the answer belongs to this browser's question.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass
import hashlib
import json
import secrets
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
import urllib.request

from cryptography.fernet import InvalidToken

from learndock.errors import Reason, Unauthenticated, Unavailable
from services.console.config import Settings
from services.console.sessions import SessionSeal

_SECONDS = 10.0
_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Question:
    """What a browser was sent away with; it comes back with the same.

    Attributes
    ----------
    state, nonce
        Prove that the answer, and the token in it, are to this question.
    verifier
        Proves to the provider that whoever asks for the token began the sign-in.
    onward
        Where the visitor wanted to go.
    """

    state: str
    nonce: str
    verifier: str
    onward: str

    @classmethod
    def new(cls, onward: str) -> Question:
        """A new question."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), onward)

    def sealed(self, seal: SessionSeal) -> str:
        """As a cookie."""
        return seal.seal_text(json.dumps(asdict(self)))

    @classmethod
    def opened(cls, seal: SessionSeal, cookie: str) -> Question:
        """Of a cookie; Unauthenticated where it is not ours or too old."""
        try:
            return cls(**json.loads(seal.open_text(cookie)))
        except (InvalidToken, ValueError, TypeError) as error:
            raise _refused("The sign-in took too long, or began in another browser.") from error


class Provider:
    """The provider, as its discovery document describes it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def address(self, question: Question) -> str:
        """Where the visitor signs in."""
        challenge = hashlib.sha256(question.verifier.encode()).digest()
        parameters = {
            "response_type": "code",
            "client_id": self._settings.openid_client_id,
            "redirect_uri": self._return_address,
            "scope": "openid email profile",
            "state": question.state,
            "nonce": question.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(parameters)}"

    def token(self, question: Question, *, state: str, code: str) -> str:
        """The ID token for a code.

        Raises
        ------
        Unauthenticated
            The answer is not to this question, or the provider gives no token for it.
        Unavailable
            The provider cannot be reached.
        """
        if not code or not secrets.compare_digest(state.encode(), question.state.encode()):
            raise _refused("The answer does not belong to this sign-in.")
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._return_address,
            "client_id": self._settings.openid_client_id,
            "client_secret": self._settings.openid_client_secret.get_secret_value(),
            "code_verifier": question.verifier,
        }
        token = str(_fetched(self._endpoint("token_endpoint"), urlencode(fields).encode()).get("id_token", ""))
        if _claims(token).get("nonce") != question.nonce:
            raise _refused("The provider's token does not belong to this sign-in.")
        return token

    @property
    def _return_address(self) -> str:
        return f"{self._settings.public_url}/sign-in/openid/return"

    def _endpoint(self, name: str) -> str:
        document = _fetched(f"{self._settings.openid_issuer.rstrip('/')}/.well-known/openid-configuration")
        return str(document[name])


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says, unverified: the dock verifies it when it is used."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError) as error:
        raise _refused("The provider gave no token.") from error
    return claims if isinstance(claims, dict) else {}


def _fetched(url: str, body: bytes | None = None) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=_SECONDS) as answer:  # noqa: S310  # https or loopback, by the settings
            document = json.loads(answer.read(_MAX_BYTES))
    except (URLError, TimeoutError, ValueError) as error:
        raise Unavailable(
            Reason.SERVICE_UNAVAILABLE, "The sign-in provider does not answer as it should; try again, or use a token."
        ) from error
    if not isinstance(document, dict):
        raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The sign-in provider does not answer as it should.")
    return document


def _refused(message: str) -> Unauthenticated:
    return Unauthenticated(Reason.TOKEN_INVALID, f"{message} Begin it again.")
