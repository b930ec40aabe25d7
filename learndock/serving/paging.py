"""Page tokens that callers cannot make up, and page sizes within bounds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from learndock.errors import InvalidInput, Reason

_MAC_BYTES = 16


class PageTokens:
    """Signs where a list goes on; a token belongs to the query that it came from."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def encode(self, query: str, position: str) -> str:
        """Token for the page after `position` of a query."""
        body = position.encode()
        return base64.urlsafe_b64encode(self._mac(query, body) + body).decode().rstrip("=")

    def decode(self, query: str, token: str) -> str:
        """Position of a token; empty for the empty token of a first page.

        Raises
        ------
        InvalidInput
            Forged, damaged, or of another query (PAGE_TOKEN_INVALID).
        """
        if not token:
            return ""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
            if hmac.compare_digest(mac, self._mac(query, body)):
                return body.decode()
        except (binascii.Error, ValueError):
            pass
        raise InvalidInput(
            Reason.PAGE_TOKEN_INVALID,
            "The page token belongs to another query or is damaged; begin again without one.",
            field="page_token",
        )

    def _mac(self, query: str, body: bytes) -> bytes:
        keyed = hmac.new(self._secret, query.encode() + b"\0" + body, hashlib.sha256)
        return keyed.digest()[:_MAC_BYTES]


def page_size(requested: int, default: int = 100, most: int = 1000) -> int:
    """Size of a page: the default for 0, never more than `most`."""
    return min(requested or default, most)
