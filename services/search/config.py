"""Settings of the search service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.serving.config import LISTEN, ServiceSettings


class Settings(ServiceSettings):
    """What the search service can be told, as ``LEARNDOCK_SEARCH_...``."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_SEARCH_", frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:7455", description=LISTEN)
    storage_address: str = Field(default="127.0.0.1:7453", description="Address of the storage service, host:port.")
    data_dir: Path = Field(
        default=Path("dock/search"),
        description="Folder of the index's snapshot; it may be lost, and is then made anew.",
    )
    snapshot_seconds: float = Field(
        default=60.0, gt=0, description="Time between two snapshots, in seconds, while the index changes."
    )
    engine: Literal["local"] = Field(default="local", description="What scores: local, in this process.")
    exhaustive_below: int = Field(
        default=100, ge=0, description="Islands with fewer admitted learnwares are scored exactly as a whole."
    )
