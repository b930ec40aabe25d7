"""Settings of the search service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.calls import TRANSPORT_BYTES
from learndock.serving.config import LEAST_MESSAGE_BYTES, LISTEN, MAX_MESSAGE_BYTES
from learndock.serving.s3_settings import S3Settings


class Settings(S3Settings):
    """What the search service can be told, as ``LEARNDOCK_SEARCH_...``."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_SEARCH_", frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:7455", description=LISTEN)
    # A question carries a specification: 8 MiB hold two million numbers.
    max_message_bytes: int = Field(
        default=8 * 2**20, ge=LEAST_MESSAGE_BYTES, le=TRANSPORT_BYTES, description=MAX_MESSAGE_BYTES
    )
    storage_address: str = Field(default="127.0.0.1:7453", description="Address of the storage service, host:port.")
    data_dir: Path = Field(
        default=Path("dock/search"),
        description="Folder of the index's snapshot; it may be lost, and is then made anew.",
    )
    snapshot_seconds: float = Field(
        default=60.0, gt=0, description="Time between two snapshots, in seconds, while the index changes."
    )
    s3_endpoint: str = Field(
        default="",
        description="Host and port of an S3 object store where the snapshot is copied to, so that a replica with an"
        " empty folder starts from it; empty for none.",
    )
    s3_bucket: str = Field(
        default="learndock-index", min_length=3, description="Bucket for copies of the snapshot; made when missing."
    )
    s3_prefix: str = Field(
        default="", description="What the names of the copy's objects begin with, such as index/; nothing else may."
    )
    copy_minutes: float = Field(
        default=60.0,
        gt=0,
        description="Age of the copy, in minutes, at which whichever replica sees it makes the next.",
    )
    searches_at_once: int = Field(
        default=0, ge=0, description="Searches that compute at a time; default the processors; with ray or a device 16."
    )
    max_searches: int = Field(
        default=40,
        ge=1,
        le=46,
        description="Searches that compute or wait for it, of one caller at most half; more are refused at once. Below"
        " the 48 threads that serve.",
    )
    engine: Literal["local", "ray"] = Field(
        default="local", description="What scores: local, in this process, or ray, shards on a Ray cluster."
    )
    device: str = Field(
        default="",
        description="Torch device where whole islands are kept and scanned, such as cuda; default none: the processor"
        " scores candidates in the order of their bounds.",
    )
    ray_address: str = Field(
        default="",
        description="Ray cluster, such as ray://HOST:10001 or HOST:6379; default one that is started on this machine.",
    )
    ray_shards: int = Field(default=2, ge=1, description="Parts that the index is divided into on Ray.")
    ray_replicas: int = Field(default=1, ge=1, description="Copies of each part; with two, one may be lost.")
    ray_shard_cpus: float = Field(default=1.0, ge=0, description="Processors that Ray reserves for each copy.")
    ray_shard_gpus: float = Field(default=0.0, ge=0, description="GPUs that Ray reserves for each copy.")
    exhaustive_below: int = Field(
        default=100, ge=0, description="Islands with fewer admitted learnwares are scored as a whole."
    )
