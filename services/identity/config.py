"""Settings of the identity service."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from learndock.serving.config import LISTEN, ServiceSettings
from services.identity.web_tokens import Issuer


class Settings(ServiceSettings):
    """What the identity service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_IDENTITY_", frozen=True)

    listen: str = Field(default="127.0.0.1:7451", description=LISTEN)
    data_dir: Path = Field(default=Path("dock/identity"), description="Folder for what the service keeps.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")

    admin_token_file: Path | None = Field(
        default=None, description="File for the first superadmin's token; default `admin-token` in the data folder."
    )

    audit_days: int = Field(default=400, ge=1, description="How long entries of the audit log are kept.")
    registration_domains: tuple[str, ...] = Field(
        default=(),
        description="JSON list of e-mail domains whose addresses may register, with an invitation sent to them or a"
        " verified address of an issuer.",
    )
    mail_server: str = Field(default="", description="SMTP server that sends invitations, host:port; empty for none.")
    mail_sender: str = Field(default="", description="Address that invitations come from.")
    mail_user: str = Field(default="", description="User name at the SMTP server; empty for none.")
    mail_password: SecretStr = Field(default=SecretStr(""), description="Password at the SMTP server.")
    mail_tls: bool = Field(default=True, description="Whether mail is sent over TLS only.")
    issuers: tuple[Issuer, ...] = Field(
        default=(),
        description="JSON list of issuers of web tokens (OpenID Connect) to trust, each an object with `issuer`,"
        " `audience`, and where wanted `jwks_url`, `register_all` and `services`; see services/identity/README.md.",
    )
    issuer_keys_seconds: float = Field(default=300.0, ge=1, description="How long an issuer's keys are remembered.")

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        if bool(self.mail_server) != bool(self.mail_sender):
            raise ValueError("MAIL_SERVER and MAIL_SENDER belong together")
        if self.mail_user and not self.mail_tls:
            raise ValueError("MAIL_USER needs MAIL_TLS: a password is not sent in clear")
        return self

    @property
    def admin_token(self) -> Path:
        """File of the first superadmin's token."""
        return self.admin_token_file or self.data_dir / "admin-token"

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'identity.db'}"
