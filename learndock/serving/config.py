"""Settings: from the environment only, checked all at once."""

from __future__ import annotations

import hashlib
import sys
from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

LISTEN = "Address to serve at, host:port; port 0 takes any free one."

_Settings = TypeVar("_Settings", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """What every service can be told. Each has its own prefix, such as ``LEARNDOCK_SEARCH_``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:0", description=LISTEN)
    identity_address: str = Field(default="127.0.0.1:7451", description="Address of the identity service, host:port.")
    service_token: SecretStr = Field(
        default=SecretStr(""), description="Secret that the dock's services share; a service refuses to start without."
    )
    max_threads: int = Field(default=32, ge=2, le=1024, description="Calls served at a time.")
    metrics_listen: str = Field(default="", description="Address for Prometheus metrics, host:port; empty for none.")
    drain_seconds: float = Field(default=10.0, ge=0, description="Time given to calls at work when told to stop.")

    @property
    def secret(self) -> str:
        """The service token in clear."""
        return self.service_token.get_secret_value()

    @property
    def page_secret(self) -> bytes:
        """Key that signs page tokens: the same in every replica, different from the token itself."""
        return hashlib.sha256(b"learndock page tokens\0" + self.secret.encode()).digest()


def load(settings_class: type[_Settings]) -> _Settings:
    """Settings from the environment; tells every fault and exits with 2 when there are any."""
    prefix = settings_class.model_config.get("env_prefix", "")
    try:
        settings = settings_class()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"{prefix}{name}: {fault['msg']}", file=sys.stderr)
        sys.exit(2)
    if not settings.secret:
        print(f"{prefix}SERVICE_TOKEN: unset; give every service of the dock the same long secret.", file=sys.stderr)
        sys.exit(2)
    return settings
