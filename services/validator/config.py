"""Settings of the validator service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.sandbox.executor import MIB, Limits
from learndock.serving.config import LISTEN
from learndock.serving.sandbox_settings import SandboxSettings

# Whoever waits for a prediction on the same machine goes first.
BACKGROUND_WEIGHT = 0.1


class Settings(SandboxSettings):
    """What the validator service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_VALIDATOR_", frozen=True)

    listen: str = Field(default="127.0.0.1:7454", description=LISTEN)
    storage_address: str = Field(default="127.0.0.1:7453", description="Address of the storage service, host:port.")
    data_dir: Path = Field(default=Path("dock/validator"), description="Folder for what the service keeps.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")
    cpus: float = Field(default=1.0, gt=0, le=64, description="Processors that one sandbox may keep busy.")
    cpu_seconds: int | None = Field(
        default=None, ge=1, description="Processor time of one process; default no bound beside the sandbox's life."
    )
    pids: int = Field(default=128, ge=16, description="Processes and threads of one sandbox.")
    open_files: int = Field(default=512, ge=64, description="Open files of one process in a sandbox.")
    tmp_mib: int = Field(
        default=256, ge=1, description="Size of a sandbox's /tmp, and of the largest file in it, in MiB."
    )
    log_kib: int = Field(
        default=1024, ge=1, description="What a model may print at full speed, in KiB; then it is read slowly."
    )
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
    def limits(self) -> Limits:
        """What one sandbox may use."""
        return Limits(
            memory_bytes=self.memory_mib * MIB,
            wall_seconds=self.sandbox_seconds,
            cpus=self.cpus,
            cpu_weight=BACKGROUND_WEIGHT,
            cpu_seconds=self.cpu_seconds,
            pids=self.pids,
            tmp_bytes=self.tmp_mib * MIB,
            open_files=self.open_files,
            log_bytes=self.log_kib * 1024,
        )

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'validator.db'}"
