"""The identity service, wired."""

from __future__ import annotations

from pathlib import Path

from learndock.serving.application import Application, Servicer
from learndock.serving.paging import PageTokens
from learndock.serving.sql import Database, migrate
from learndock.v1 import identity_service_pb2_grpc as rpc
from services.identity.audit import AuditBook
from services.identity.authentication import LocalAuthenticator
from services.identity.config import Settings
from services.identity.external import ExternalAccounts
from services.identity.first_start import appoint_superadmin
from services.identity.invitations import MailedInvitations
from services.identity.mail import Mailer
from services.identity.servicer import IdentityServicer
from services.identity.web_tokens import WebTokens


def build(settings: Settings) -> Application:
    """Identity service on its database."""
    migrate(settings.database, Path(__file__).parent / "migrations")
    database = Database(settings.database)
    appoint_superadmin(database, settings.admin_token)
    audit = AuditBook(database, settings.audit_days)
    mailer = _mailer(settings)
    mailed = MailedInvitations(database, settings.registration_domains, mailer)
    authenticator = LocalAuthenticator(
        database,
        settings.secret,
        audit,
        WebTokens(settings.issuers, settings.issuer_keys_seconds),
        ExternalAccounts(database, mailed),
    )
    servicer = IdentityServicer(database, authenticator, audit, mailed, PageTokens(settings.page_secret))

    def close() -> None:
        if mailer is not None:
            mailer.close()
        database.close()

    return Application(
        name="identity",
        max_message_bytes=settings.max_message_bytes,
        servicers=(Servicer("learndock.v1.IdentityService", servicer, rpc.add_IdentityServiceServicer_to_server),),
        close=close,
        authenticator=authenticator,
        audit=audit,
        dependencies={"database": database.ping},
    )


def _mailer(settings: Settings) -> Mailer | None:
    if not settings.mail_server:
        return None
    return Mailer(
        settings.mail_server,
        settings.mail_sender,
        user=settings.mail_user,
        password=settings.mail_password.get_secret_value(),
        tls=settings.mail_tls,
    )
