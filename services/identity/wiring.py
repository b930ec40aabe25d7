"""The identity service, wired."""

from __future__ import annotations

from pathlib import Path

from learndock.serving.application import Application, Servicer
from learndock.serving.paging import PageTokens
from learndock.serving.sql import Database, migrate
from learndock.v1 import identity_service_pb2_grpc as rpc
from services.identity.authentication import LocalAuthenticator
from services.identity.config import Settings
from services.identity.first_start import appoint_superadmin
from services.identity.servicer import IdentityServicer


def build(settings: Settings) -> Application:
    """Identity service on its database."""
    migrate(settings.database, Path(__file__).parent / "migrations")
    database = Database(settings.database)
    appoint_superadmin(database, settings.admin_token)
    authenticator = LocalAuthenticator(database, settings.secret)
    servicer = IdentityServicer(database, authenticator, PageTokens(settings.page_secret))
    return Application(
        name="identity",
        servicers=(Servicer("learndock.v1.IdentityService", servicer, rpc.add_IdentityServiceServicer_to_server),),
        close=database.close,
        authenticator=authenticator,
    )
