"""Settings of the specification service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from learndock.calls import TRANSPORT_BYTES
from learndock.serving.config import LEAST_MESSAGE_BYTES, LISTEN, MAX_MESSAGE_BYTES, ServiceSettings


class Settings(ServiceSettings):
    """What the specification service can be told."""

    model_config = SettingsConfigDict(env_prefix="LEARNDOCK_SPEC_", frozen=True)

    listen: str = Field(default="127.0.0.1:7452", description=LISTEN)
    # A specification takes up to 16 MiB; files of the reference engine, in decimal digits, several times as much.
    max_message_bytes: int = Field(
        default=TRANSPORT_BYTES, ge=LEAST_MESSAGE_BYTES, le=TRANSPORT_BYTES, description=MAX_MESSAGE_BYTES
    )
    max_row_bytes: int = Field(
        default=8 * 2**30, ge=2**20, description="Bytes of rows that all builds at work may hold together."
    )
