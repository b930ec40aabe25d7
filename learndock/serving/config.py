"""Settings: from the environment only, checked all at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
import sys
from typing import Self, TypeVar

import grpc
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from learndock.calls import TRANSPORT_BYTES
from learndock.serving.application import DEFAULT_MESSAGE_BYTES
from learndock.serving.limits import Rate
from learndock.serving.peers import Credential, Peer
from learndock.serving.server import Terms
from learndock.serving.tls import server_credentials
from learndock.tls import TlsFiles

MAX_MESSAGE_BYTES = "Bytes of the largest request message; a larger one gets RESOURCE_EXHAUSTED."
LISTEN = "Address to serve at, host:port; port 0 takes any free one."

# Uploads come in chunks of 1 MiB, pages of a list are of about that size.
LEAST_MESSAGE_BYTES = 2 * 2**20

_LEAST_SECRET = 16

_Settings = TypeVar("_Settings", bound=BaseSettings)


class ServiceSettings(BaseSettings):
    """What every service can be told. Each has its own prefix, such as ``LEARNDOCK_SEARCH_``."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    listen: str = Field(default="127.0.0.1:0", description=LISTEN)
    identity_address: str = Field(default="127.0.0.1:7451", description="Address of the identity service, host:port.")
    service_token: SecretStr = Field(
        default=SecretStr(""), description="Secret that the dock's services share; a service refuses to start without."
    )
    service_token_file: Path | None = Field(
        default=None,
        description="File of this service's own web token, such as a cluster projects; sent to other services instead"
        " of the secret, and read again as it changes.",
    )
    tls_certificate_file: Path | None = Field(
        default=None, description="Certificate with its chain, PEM; set, TLS is served. Read again as it changes."
    )
    tls_key_file: Path | None = Field(default=None, description="Key of the certificate, PEM.")
    tls_ca_file: Path | None = Field(
        default=None,
        description="Authorities of the dock's certificates, PEM; set, other services are called over TLS, and shown"
        " this service's certificate.",
    )
    tls_callers: bool = Field(
        default=False, description="Whether every caller must show a certificate of TLS_CA_FILE's authorities."
    )
    max_message_bytes: int = Field(
        default=DEFAULT_MESSAGE_BYTES, ge=LEAST_MESSAGE_BYTES, le=TRANSPORT_BYTES, description=MAX_MESSAGE_BYTES
    )
    max_threads: int = Field(default=48, ge=2, le=1024, description="Calls served at a time.")
    max_waiting: int = Field(
        default=96, ge=0, le=100_000, description="Calls that may wait; more get RESOURCE_EXHAUSTED at once."
    )
    user_calls_per_second: float = Field(
        default=200.0, ge=0, description="Calls of one user in one second, over time; 0 for any number."
    )
    user_burst: int = Field(default=1000, ge=1, description="Calls of one user at once after a pause.")
    anonymous_calls_per_second: float = Field(
        default=5.0, ge=0, description="As for a user, for each address that sends no credential."
    )
    anonymous_burst: int = Field(default=50, ge=1, description="As for a user, for each address without a credential.")
    default_call_seconds: float = Field(default=30.0, gt=0, description="Deadline of a call that states none.")
    max_call_seconds: float = Field(default=3600.0, gt=0, description="Longest deadline of a call that is no stream.")
    max_connection_age_seconds: float = Field(
        default=300.0,
        gt=0,
        description="Connections end, after the calls on them, so that new replicas get their share.",
    )
    metrics_listen: str = Field(default="", description="Address for Prometheus metrics, host:port; empty for none.")
    trace_endpoint: str = Field(
        default="",
        description="OTLP collector for traces, such as http://collector:4318/v1/traces; empty for none. Takes the"
        " extra `tracing`.",
    )
    trace_ratio: float = Field(
        default=0.01, ge=0, le=1, description="Share of traces to record; those that a caller records are recorded too."
    )
    drain_seconds: float = Field(default=10.0, ge=0, description="Time given to calls at work when told to stop.")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("TLS_CERTIFICATE_FILE and TLS_KEY_FILE belong together")
        if self.tls_callers and not (self.tls_certificate_file and self.tls_ca_file):
            raise ValueError("TLS_CALLERS needs TLS_CERTIFICATE_FILE, TLS_KEY_FILE and TLS_CA_FILE")
        return self

    def peer(self, address: str) -> Peer:
        """Another service at an address."""
        shown = (self.tls_certificate_file, self.tls_key_file)
        tls = TlsFiles(self.tls_ca_file, *shown) if self.tls_ca_file is not None else None
        return Peer(address, Credential(self.secret, self.service_token_file), tls)

    @property
    def terms(self) -> Terms:
        """On which terms the service serves."""
        return Terms(
            threads=self.max_threads,
            waiting=self.max_waiting,
            users=Rate(self.user_calls_per_second, self.user_burst),
            anonymous=Rate(self.anonymous_calls_per_second, self.anonymous_burst),
            default_seconds=self.default_call_seconds,
            max_seconds=self.max_call_seconds,
            connection_seconds=self.max_connection_age_seconds,
            credentials=self._server_credentials(),
        )

    def _server_credentials(self) -> grpc.ServerCredentials | None:
        if self.tls_certificate_file is None or self.tls_key_file is None:
            return None
        callers = self.tls_ca_file if self.tls_callers else None
        return server_credentials(self.tls_certificate_file, self.tls_key_file, callers)

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
    if isinstance(settings, ServiceSettings):
        _check_secret(prefix, settings.secret)
    return settings


def _check_secret(prefix: str, secret: str) -> None:
    if not secret:
        print(f"{prefix}SERVICE_TOKEN: unset; give every service of the dock the same long secret.", file=sys.stderr)
        sys.exit(2)
    if len(secret) < _LEAST_SECRET:
        print(f"{prefix}SERVICE_TOKEN: shorter than {_LEAST_SECRET} characters; it can be guessed.", file=sys.stderr)
        sys.exit(2)
