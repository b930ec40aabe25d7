"""Settings of the console."""

from __future__ import annotations

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from learndock.serving.config import LISTEN


class Settings(BaseSettings):
    """What the console can be told. It calls the dock as whoever is signed in, and holds no secret of the dock's."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_CONSOLE_", frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:7457", description=LISTEN)
    secret: SecretStr = Field(
        min_length=16, description="Seals the session cookies; the same in every replica, at least 16 characters."
    )
    dock_address: str = Field(
        default="127.0.0.1:7450",
        description="Address of the dock, or of each service (`storage=host:port,search=host:port,...`).",
    )
    dock_ca_file: str = Field(default="", description="Certificate authorities to trust at the dock's address.")
    shown_address: str = Field(
        default="", description="Address of the dock in code to copy; empty for the one that the console itself uses."
    )
    data_dir: Path = Field(
        default=Path("console"), description="Folder for what is under way: packages, tasks, predictions."
    )
    keep_hours: float = Field(default=24.0, gt=0, description="How long what is under way is kept there.")
    session_hours: float = Field(default=12.0, gt=0, description="How long a sign-in lasts.")
    secure_cookies: bool = Field(
        default=False, description="Cookies travel over HTTPS only; set it wherever the console is behind TLS."
    )
    public_url: str = Field(
        default="http://127.0.0.1:7457", description="Where browsers find the console; needed to come back from OpenID."
    )
    openid_issuer: str = Field(
        default="",
        description="OpenID provider to sign in with, a URL; the identity service must trust it, with the client id as"
        " audience. Empty for tokens only.",
    )
    openid_name: str = Field(default="OpenID", description="What the sign-in button calls that provider.")
    openid_client_id: str = Field(default="", description="What the provider knows the console as.")
    openid_client_secret: SecretStr = Field(default=SecretStr(""), description="The console's secret there.")
    max_upload_bytes: int = Field(default=2 * 2**30, ge=2**20, description="Largest package taken.")
    max_threads: int = Field(default=40, ge=4, le=1024, description="Requests worked on at a time.")
    max_reuses: int = Field(default=8, ge=1, description="Predictions under way at a time.")
    drain_seconds: float = Field(default=10.0, ge=0, description="Time given to requests at work when told to stop.")

    @field_validator("openid_issuer")
    @classmethod
    def _check_secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")):
            raise ValueError("must be an https URL; tokens that come unprotected can be anybody's")
        return url

    @model_validator(mode="after")
    def _check_openid(self) -> Self:
        if bool(self.openid_issuer) != bool(self.openid_client_id):
            raise ValueError("OPENID_ISSUER and OPENID_CLIENT_ID belong together")
        return self
