"""Settings of the reuse service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.sandbox.executor import MIB, Limits
from learndock.serving.config import LISTEN
from learndock.serving.sandbox_settings import SandboxSettings

_LIFE_MARGIN_SECONDS = 30.0


class Settings(SandboxSettings):
    """What the reuse service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_REUSE_", frozen=True)

    listen: str = Field(default="127.0.0.1:7456", description=LISTEN)
    storage_address: str = Field(default="127.0.0.1:7453", description="Address of the storage service, host:port.")
    data_dir: Path = Field(default=Path("dock/reuse"), description="Folder for what the service keeps.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")
    max_sandboxes: int = Field(default=32, ge=1, description="Sandboxes that may run at a time.")
    sandbox_life_seconds: float = Field(default=3600.0, gt=0, description="Age at which a sandbox is replaced.")
    predict_seconds: float = Field(default=20.0, gt=0, description="Time that a member has for one batch.")
    max_reusers_per_user: int = Field(default=8, ge=1, description="Reusers that one user may hold.")
    max_reusers: int = Field(default=64, ge=1, description="Reusers that all users together may hold.")
    idle_seconds: float = Field(default=1800.0, gt=0, description="Time after which an unused reuser is forgotten.")
    sleep_seconds: float = Field(
        default=600.0, gt=0, description="Time after which an unused reuser's sandboxes end until its next rows."
    )
    recheck_seconds: float = Field(
        default=60.0, ge=0, description="Time for which a member that the caller might use is not looked up again."
    )
    expiry_interval_seconds: float = Field(default=30.0, gt=0, description="Time between looks for expired reusers.")
    prepare_threads: int = Field(default=2, ge=1, description="Reusers that are prepared at a time.")
    max_cache_bytes: int = Field(default=20 * 2**30, ge=0, description="Size of the folder of fetched packages.")

    @property
    def limits(self) -> Limits:
        """What one sandbox may use; it outlives its time of replacement by one batch, and is then killed."""
        life = self.sandbox_life_seconds + self.predict_seconds + _LIFE_MARGIN_SECONDS
        return Limits(memory_bytes=self.memory_mib * MIB, wall_seconds=life)

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'reuse.db'}"
