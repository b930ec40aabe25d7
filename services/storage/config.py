"""Settings of the storage service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from learndock.serving.config import LISTEN
from learndock.serving.s3_settings import S3Settings


class Settings(S3Settings):
    """What the storage service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_STORAGE_", frozen=True)

    listen: str = Field(default="127.0.0.1:7453", description=LISTEN)
    data_dir: Path = Field(default=Path("dock/storage"), description="Folder for packages, uploads and the database.")
    database_url: str = Field(default="", description="SQLAlchemy URL; default a SQLite file in the data folder.")
    read_database_url: str = Field(
        default="", description="SQLAlchemy URL of a streaming replica for reads; default the database itself."
    )
    s3_endpoint: str = Field(
        default="", description="Host and port of an S3 object store for packages; empty keeps them in the data folder."
    )
    s3_bucket: str = Field(default="learndock", min_length=3, description="Bucket for packages; made when missing.")
    s3_public_endpoint: str = Field(
        default="", description="Host and port by which callers reach the object store, for signed addresses."
    )
    backup_s3_endpoint: str = Field(
        default="", description="Host and port of another object store for backups to s3://...; empty for the same."
    )
    backup_s3_region: str = Field(default="", description="Region of the buckets for backups in another object store.")
    backup_s3_access_key: SecretStr = Field(
        default=SecretStr(""), description="Access key of another object store for backups."
    )
    backup_s3_secret_key: SecretStr = Field(
        default=SecretStr(""), description="Secret key of another object store for backups."
    )
    backup_s3_secure: bool = Field(
        default=True, description="Whether another object store for backups is spoken to over TLS."
    )
    max_package_bytes: int = Field(default=2 * 2**30, ge=1, le=2 * 2**30, description="Largest package, in bytes.")
    max_open_uploads: int = Field(default=32, ge=1, description="Unfinished uploads that one user may have.")
    max_user_bytes: int = Field(
        default=100 * 2**30, ge=1, description="Bytes of packages that one user may keep; admins may set others."
    )
    max_user_learnwares: int = Field(default=10_000, ge=1, description="Learnwares that one user may keep.")
    max_user_versions: int = Field(
        default=100_000, ge=1, description="Versions of all their learnwares that one user may keep."
    )
    upload_hours: float = Field(default=24.0, gt=0, description="Hours until an unfinished upload is forgotten.")
    undelete_days: float = Field(default=30.0, gt=0, description="Days for which a deleted learnware can be restored.")
    change_days: float = Field(
        default=90.0,
        gt=0,
        description="Days for which every change is kept; later, the newest of each learnware.",
    )
    orphan_hours: float = Field(
        default=1.0,
        gt=0,
        description="Hours for which bytes that nothing refers to are kept.",
    )
    sweep_seconds: float = Field(default=600.0, gt=0, description="Seconds between two rounds of tidying up.")
    scrub_days: float = Field(
        default=30.0, ge=0, description="Days in which every package is read back once; 0 for never."
    )
    scrub_mib_per_second: float = Field(
        default=20.0, gt=0, description="How fast packages are read back, in MiB per second."
    )
    poll_seconds: float = Field(
        default=0.5, gt=0, le=10, description="Seconds after which a watcher looks for changes made by other processes."
    )

    @property
    def database(self) -> str:
        """URL of the database in use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'storage.db'}"

    @property
    def blob_dir(self) -> Path:
        """Folder of the packages."""
        return self.data_dir / "packages"

    @property
    def upload_dir(self) -> Path:
        """Folder of unfinished uploads."""
        return self.data_dir / "uploads"
