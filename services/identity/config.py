"""Settings of the identity service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.serving.config import LISTEN, ServiceSettings


class Settings(ServiceSettings):
    """What the identity service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_IDENTITY_", frozen=True)

    listen: str = Field(default="127.0.0.1:7451", description=LISTEN)
    data_dir: Path = Field(default=Path("dock/identity"), description="Folder for what the service keeps.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")

    admin_token_file: Path | None = Field(
        default=None, description="File for the first superadmin's token; default `admin-token` in the data folder."
    )

    @property
    def admin_token(self) -> Path:
        """File of the first superadmin's token."""
        return self.admin_token_file or self.data_dir / "admin-token"

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'identity.db'}"
