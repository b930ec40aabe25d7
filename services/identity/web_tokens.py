"""Signed web tokens (JWT) of trusted issuers, such as an OpenID provider or a cluster that vouches for its services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import json
import threading
import time
from urllib.parse import urlsplit
import urllib.request

import jwt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from learndock.errors import Reason, Unauthenticated, Unavailable

# Public-key signatures only: with a shared key, whoever can check a token can make one.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_LEEWAY_SECONDS = 10
_FETCH_SECONDS = 5.0
_MAX_KEYS_BYTES = 2**20


class Issuer(BaseModel):
    """An issuer that the dock trusts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(description="Its `iss`, a URL.")
    audience: str = Field(min_length=1, description="What `aud` must hold.")
    jwks_url: str = Field(default="", description="Where its keys are; empty asks its OpenID configuration.")
    register_all: bool = Field(default=False, description="Whether everybody it vouches for gets an account.")
    services: Mapping[str, str] = Field(
        default_factory=dict, description="The dock's own services: their names by `sub`."
    )

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _check_secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")):
            raise ValueError("must be an https URL; keys that come unprotected can be anybody's")
        return url


@dataclass(frozen=True)
class Claims:
    """What a verified token says.

    Attributes
    ----------
    issuer, subject
        Who vouches, and for whom.
    service
        Name of the dock's own service that it is; empty for people and other programs.
    email
        Address that the issuer has verified; empty for none.
    name
        What they call themselves; empty for nothing.
    register_all
        Whether the issuer's word is enough for an account.
    """

    issuer: str
    subject: str
    service: str = ""
    email: str = ""
    name: str = ""
    register_all: bool = False


def is_web_token(token: str) -> bool:
    """Whether a credential looks like a web token: three parts, of which the first is a JSON object."""
    return token.startswith("eyJ") and token.count(".") == 2


class WebTokens:
    """Verifies web tokens.

    Parameters
    ----------
    issuers
        Whom to trust.
    keys_seconds
        How long fetched keys are good without another look.
    """

    def __init__(self, issuers: Sequence[Issuer], keys_seconds: float) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: IssuerKeys(issuer, keys_seconds) for issuer in issuers}

    def verify(self, token: str) -> Claims:
        """What a token says.

        Raises
        ------
        Unauthenticated
            TOKEN_EXPIRED, or TOKEN_INVALID: an unknown issuer or key, another audience, a wrong or missing signature.
        Unavailable
            The issuer's keys cannot be fetched.
        """
        try:
            issuer, key_id = self._unverified(token)
            claims = jwt.decode(
                token,
                self._keys[issuer.issuer].find(key_id),
                algorithms=list(_ALGORITHMS),
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated(Reason.TOKEN_EXPIRED, "The token has ended; sign in again.") from None
        except jwt.PyJWTError:
            raise _invalid() from None
        return _claims(claims, issuer)

    def _unverified(self, token: str) -> tuple[Issuer, str]:
        """Whose keys to check with; nothing of this is believed before the signature is."""
        key_id = jwt.get_unverified_header(token).get("kid", "")
        name = jwt.decode(token, options={"verify_signature": False}).get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None or not isinstance(key_id, str):
            raise _invalid()
        return issuer, key_id


class IssuerKeys:
    """Public keys of an issuer: fetched when first needed, again when old or when an unknown one is named.

    Keys that are known stay good for a day while the issuer cannot be reached. An unknown key makes it look again, but
    not more often than every few seconds: anybody can name one.
    """

    _STALE_SECONDS = 86_400.0
    _LEAST_SECONDS = 5.0

    def __init__(self, issuer: Issuer, keys_seconds: float) -> None:
        self._issuer = issuer
        self._seconds = keys_seconds
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = -self._STALE_SECONDS
        self._tried = -self._LEAST_SECONDS

    def find(self, key_id: str) -> jwt.PyJWK:
        """A key by its id; the only key there is for an empty id."""
        with self._lock:
            if time.monotonic() - self._fetched >= self._seconds or self._known(key_id) is None:
                self._refresh()
            key = self._known(key_id)
        if key is None:
            raise _invalid()
        return key

    def _known(self, key_id: str) -> jwt.PyJWK | None:
        if not key_id and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _refresh(self) -> None:
        moment = time.monotonic()
        if moment - self._tried < self._LEAST_SECONDS:
            return
        self._tried = moment
        try:
            fetched = jwt.PyJWKSet.from_dict(_fetch_json(self._address()))
        except (OSError, ValueError, KeyError, jwt.PyJWTError) as error:
            if moment - self._fetched > self._STALE_SECONDS or not self._keys:
                self._keys = {}
                raise Unavailable(
                    Reason.SERVICE_UNAVAILABLE, f"The keys of {self._issuer.issuer} cannot be fetched.", retry_after=5.0
                ) from error
            return
        self._keys = {key.key_id or "": key for key in fetched.keys if key.public_key_use in (None, "sig")}
        self._fetched = moment

    def _address(self) -> str:
        if self._issuer.jwks_url:
            return self._issuer.jwks_url
        configuration = _fetch_json(self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if configuration["issuer"] != self._issuer.issuer:
            raise ValueError("the configuration is another issuer's")
        return str(configuration["jwks_uri"])


def _fetch_json(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310  # `Issuer` admits no other schemes
        document = json.loads(answer.read(_MAX_KEYS_BYTES))
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _claims(claims: Mapping[str, object], issuer: Issuer) -> Claims:
    subject = str(claims["sub"])
    return Claims(
        issuer=issuer.issuer,
        subject=subject,
        service=issuer.services.get(subject, ""),
        email=str(claims.get("email", "")) if claims.get("email_verified") is True else "",
        name=str(claims.get("preferred_username") or claims.get("name") or ""),
        register_all=issuer.register_all,
    )


def _invalid() -> Unauthenticated:
    return Unauthenticated(Reason.TOKEN_INVALID, "The token is not one that this dock takes; sign in again.")
