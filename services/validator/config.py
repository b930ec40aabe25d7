"""Settings of the validator service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.sandbox.environment import DEFAULT_CONSTRAINTS
from learndock.serving.config import LISTEN, ServiceSettings


class Settings(ServiceSettings):
    """What the validator service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_VALIDATOR_", frozen=True)

    listen: str = Field(default="127.0.0.1:7454", description=LISTEN)
    storage_address: str = Field(default="127.0.0.1:7453", description="Address of the storage service, host:port.")
    data_dir: Path = Field(default=Path("dock/validator"), description="Folder for what the service keeps.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")
    environments_dir: Path | None = Field(
        default=None,
        description="Folder of installed requirements, may be shared with reuse; default in the data folder.",
    )
    constraints: tuple[str, ...] = Field(
        default=DEFAULT_CONSTRAINTS, description="Bounds on the versions of requirements, in pip's words."
    )
    executor: str = Field(default="auto", description="Where models run: auto, docker, gvisor or bubblewrap.")
    memory_mib: int = Field(default=2048, ge=64, description="Memory of one sandbox, in MiB.")
    sandbox_seconds: float = Field(default=300.0, gt=0, description="Life of one sandbox; then it is killed.")
    load_seconds: float = Field(default=120.0, gt=0, description="Time that a model has to load.")
    predict_seconds: float = Field(default=60.0, gt=0, description="Time that a model has for one batch.")
    workers: int = Field(default=2, ge=1, le=64, description="Validations at a time.")
    dry_runs: int = Field(default=2, ge=1, le=64, description="Packages checked on request at a time.")
    max_package_bytes: int = Field(default=2 * 2**30, ge=1, description="Largest package that is checked on request.")
    lease_seconds: float = Field(
        default=30.0, gt=0, description="Time after which another worker takes over from one that shows no life."
    )
    max_faults: int = Field(default=3, ge=1, description="Faults of the dock after which a validation is given up.")
    retry_seconds: float = Field(
        default=5.0, ge=0, description="Time before a new try after the first fault; doubles with each."
    )

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'validator.db'}"

    @property
    def environments(self) -> Path:
        """Folder of installed requirements in use."""
        return self.environments_dir or self.data_dir / "environments"
