"""Settings of services that keep something in an object store."""

from __future__ import annotations

from pydantic import Field, SecretStr

from learndock.serving.config import ServiceSettings
from learndock.serving.s3 import Bucket


class S3Settings(ServiceSettings):
    """Where a service's bucket is."""

    s3_endpoint: str = Field(default="", description="Host and port of an S3 object store; empty for none.")
    s3_bucket: str = Field(default="learndock", min_length=3, description="Bucket; made when missing.")
    s3_region: str = Field(default="", description="Region of the bucket, where the object store has regions.")
    s3_access_key: SecretStr = Field(default=SecretStr(""), description="Access key of the object store.")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), description="Secret key of the object store.")
    s3_secure: bool = Field(default=True, description="Whether the object store is spoken to over TLS.")
    s3_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest wait for an answer of the object store, in seconds."
    )

    @property
    def bucket(self) -> Bucket:
        """The bucket."""
        return Bucket(
            self.s3_endpoint,
            self.s3_bucket,
            self.s3_access_key.get_secret_value(),
            self.s3_secret_key.get_secret_value(),
            region=self.s3_region,
            secure=self.s3_secure,
            timeout_seconds=self.s3_timeout_seconds,
        )
