"""An issuer of web tokens on loopback, with keys that can be changed, and forgeries of its tokens."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
import hashlib
import hmac
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
import jwt
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "learndock"


class Issuer:
    """Signs tokens, and serves its keys; counts how often they are fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {}
        self.fetched = 0
        self.away = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.rotate("first")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def rotate(self, key_id: str, *, keep: bool = False) -> None:
        """Sign with a new key from now on."""
        new = rsa.generate_private_key(65537, 2048)
        self.keys = {**self.keys, key_id: new} if keep else {key_id: new}

    def add_elliptic(self, key_id: str) -> None:
        """Have a second kind of key."""
        self.keys = {**self.keys, key_id: ec.generate_private_key(ec.SECP256R1())}

    def claims(self, **changes: object) -> dict[str, object]:
        """Claims of a good token; None leaves one out."""
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "subject-1",
            "iat": moment,
            "exp": moment + 600,
            "email": "ada@example.org",
            "email_verified": True,
            "preferred_username": "ada",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key_id: str = "", **changes: object) -> str:
        """A signed token."""
        key_id = key_id or next(reversed(self.keys))
        key = self.keys[key_id]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(self.claims(**changes), key, algorithm=algorithm, headers={"kid": key_id})

    def document(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [_published(key_id, key) for key_id, key in self.keys.items()]}

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if issuer.away:
                    self.send_error(503)
                elif self.path == "/.well-known/openid-configuration":
                    self._answer({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"})
                else:
                    issuer.fetched += 1
                    self._answer(issuer.document())

            def _answer(self, document: dict[str, Any]) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def issuer() -> Iterator[Issuer]:
    """An issuer until the block ends."""
    made = Issuer()
    try:
        yield made
    finally:
        made.close()


def unsigned(claims: dict[str, object], key_id: str) -> str:
    """A token with `alg=none`."""
    parts = ({"alg": "none", "typ": "JWT", "kid": key_id}, claims)
    return ".".join(_encoded(json.dumps(part).encode()) for part in parts) + "."


def signed_with_public_key(signer: Issuer, key_id: str) -> str:
    """A token whose HMAC key is the issuer's public key, which everybody knows."""
    public = json.dumps(signer.document()["keys"][0]).encode()
    head = _encoded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": key_id}).encode())
    body = f"{head}.{_encoded(json.dumps(signer.claims()).encode())}"
    return f"{body}.{_encoded(hmac.new(public, body.encode(), hashlib.sha256).digest())}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _published(key_id: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    algorithm: type[RSAAlgorithm] | type[ECAlgorithm] = (
        RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    )
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"}
