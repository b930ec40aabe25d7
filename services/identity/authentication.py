"""Who holds a token, from the service's own database."""

from __future__ import annotations

from learndock.account import Principal, Role, User
from learndock.serving.authentication import SERVICE, is_service_token
from learndock.serving.sql import Database, now
from services.identity import accounts


class LocalAuthenticator:
    """Looks tokens up; knows the one that the dock's services share."""

    def __init__(self, database: Database, service_token: str) -> None:
        self._database = database
        self._service_token = service_token

    def user_of(self, token: str) -> User:
        """Account that holds a token."""
        if is_service_token(token, self._service_token):
            return User(user_id=SERVICE.user_id, name=SERVICE.name, role=Role.SERVICE, create_time=now())
        with self._database.read() as session:
            return accounts.authenticate(session, token)

    def authenticate(self, token: str) -> Principal:
        """Principal of a token."""
        user = self.user_of(token)
        return Principal(user_id=user.user_id, name=user.name, role=user.role)
