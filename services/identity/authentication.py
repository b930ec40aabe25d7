"""Who holds a credential: an API token, the services' own secret, or a web token of an issuer that is trusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import threading
import time
from uuid import uuid4

from learndock.account import Principal, Role, Scope, Token, User
from learndock.audit import SIGN_IN, AuditEntry
from learndock.errors import Unauthenticated
from learndock.serving import caller
from learndock.serving.authentication import SERVICE, is_service_token
from learndock.serving.sql import Database, now
from services.identity import store, tokens
from services.identity.audit import AuditBook
from services.identity.external import ExternalAccounts
from services.identity.web_tokens import WebTokens, is_web_token

_SIGN_IN_AGAIN = timedelta(hours=1)
_TELL_REFUSAL_SECONDS = 60.0
_MAX_REFUSALS = 10_000


@dataclass(frozen=True)
class Holder:
    """The account that a credential stands for, its role as far as the credential may use it."""

    user: User
    scopes: frozenset[Scope] = frozenset()

    @property
    def principal(self) -> Principal:
        """The holder as a caller."""
        return Principal(self.user.user_id, self.user.name, self.user.role, self.scopes)


class LocalAuthenticator:
    """Looks credentials up, and writes sign-ins into the audit log."""

    def __init__(
        self,
        database: Database,
        service_token: str,
        audit: AuditBook,
        web_tokens: WebTokens,
        external: ExternalAccounts,
    ) -> None:
        self._database = database
        self._service_token = service_token
        self._audit = audit
        self._web_tokens = web_tokens
        self._external = external
        self._refusals = _Seldom(_TELL_REFUSAL_SECONDS)

    def authenticate(self, token: str) -> Principal:
        """Principal of a credential."""
        return self.holder(token).principal

    def holder(self, token: str) -> Holder:
        """Who holds a credential.

        Raises
        ------
        Unauthenticated
            TOKEN_INVALID, TOKEN_EXPIRED or USER_DISABLED.
        """
        if is_service_token(token, self._service_token):
            return _service(SERVICE.name)
        return self._of_web_token(token) if is_web_token(token) else self._of_api_token(token)

    def _of_api_token(self, secret: str) -> Holder:
        with self._database.read() as session:
            token, user = tokens.find_by_secret(session, secret)
        try:
            tokens.check_works(token, user)
        except Unauthenticated as refusal:
            self._tell_refusal(user, token.token_id, refusal)
            raise
        if _is_due(token.last_use_time):
            self._note_use(token, user)
        return Holder(_lowered(user, token.scopes), token.scopes)

    def _of_web_token(self, token: str) -> Holder:
        claims = self._web_tokens.verify(token)
        if claims.service:
            return _service(claims.service)
        user, last_use = self._external.account_of(claims)
        try:
            tokens.check_enabled(user)
        except Unauthenticated as refusal:
            self._tell_refusal(user, claims.issuer, refusal)
            raise
        if _is_due(last_use):
            self._external.note_use(claims)
            self._audit.record(_sign_in(user, claims.issuer))
        return Holder(user)

    def _note_use(self, token: Token, user: User) -> None:
        with self._database.write() as session:
            store.mark_token_used(session, token.token_id, now())
        self._audit.record(_sign_in(user, token.token_id))

    def _tell_refusal(self, user: User, credential: str, refusal: Unauthenticated) -> None:
        if self._refusals.may_tell(credential):
            entry = _sign_in(user, credential)
            self._audit.record(replace(entry, code="UNAUTHENTICATED", reason=refusal.reason.value))


class _Seldom:
    """Lets one of many equal things through in a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}

    def may_tell(self, key: str) -> bool:
        """Whether it was not told lately."""
        moment = time.monotonic()
        with self._lock:
            if moment - self._told.get(key, -self._seconds) < self._seconds:
                return False
            if len(self._told) >= _MAX_REFUSALS:
                self._told.clear()
            self._told[key] = moment
            return True


def _service(name: str) -> Holder:
    return Holder(User(user_id=SERVICE.user_id, name=name, role=Role.SERVICE, create_time=now()))


def _lowered(user: User, scopes: frozenset[Scope]) -> User:
    """The account as a token with scopes may use it: an admin's role takes the scope for it."""
    if not scopes or Scope.ADMINISTER in scopes or not user.role.administers:
        return user
    return replace(user, role=Role.USER)


def _is_due(last_use: datetime | None) -> bool:
    return last_use is None or now() - last_use > _SIGN_IN_AGAIN


def _sign_in(user: User, credential: str) -> AuditEntry:
    return AuditEntry(
        entry_id=uuid4().hex,
        time=now(),
        user_id=user.user_id,
        user_name=user.name,
        role=user.role,
        action=SIGN_IN,
        code="OK",
        resource=credential,
        request_id=caller.served().request_id,
    )
