"""Asking the identity service who holds a token, with a short memory."""

from __future__ import annotations

from collections import OrderedDict
import hashlib
import hmac
from threading import Lock
import time

from learndock.account import Principal, Role
from learndock.serving.peers import Peer
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import identity_service_pb2_grpc as rpc
from learndock.wire_accounts import scopes_from_message, user_from_message

# A revoked token works for this many seconds at most.
MEMORY_SECONDS = 4.0
_MEMORY_TOKENS = 10_000
_ASK_SECONDS = 5.0

SERVICE = Principal(user_id="service", name="service", role=Role.SERVICE)


def is_service_token(token: str, service_token: str) -> bool:
    """Whether a token is the one that the dock's services share; never for an unset one."""
    return bool(service_token) and hmac.compare_digest(token.encode(), service_token.encode())


class RemoteAuthenticator:
    """Asks the identity service and remembers the answer for `MEMORY_SECONDS`."""

    def __init__(self, identity: Peer, service_token: str) -> None:
        self._stub = rpc.IdentityServiceStub(identity.as_service)
        self._service_token = service_token
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = Lock()

    def authenticate(self, token: str) -> Principal:
        """Principal of a token."""
        if is_service_token(token, self._service_token):
            return SERVICE
        key = hashlib.sha256(token.encode()).digest()  # secrets are not kept in memory
        known = self._recall(key)
        return known if known is not None else self._ask(token, key)

    def _recall(self, key: bytes) -> Principal | None:
        with self._lock:
            until, principal = self._known.get(key, (0.0, SERVICE))
            return principal if time.monotonic() < until else None

    def _ask(self, token: str, key: bytes) -> Principal:
        answer = self._stub.Authenticate(pb.AuthenticateRequest(token=token), timeout=_ASK_SECONDS)
        user = user_from_message(answer.user)
        principal = Principal(user.user_id, user.name, user.role, scopes_from_message(answer.scopes))
        with self._lock:
            self._known[key] = (time.monotonic() + MEMORY_SECONDS, principal)
            self._known.move_to_end(key)
            while len(self._known) > _MEMORY_TOKENS:
                self._known.popitem(last=False)
        return principal
