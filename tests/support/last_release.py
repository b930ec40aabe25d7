"""The contract as it was released last, for callers who have not upgraded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
import grpc

RELEASE = Path(__file__).resolve().parents[2] / "protos" / "release-0.1.binpb"


class OldCaller:
    """Calls methods with the messages of the last release; what is new since then it does not know.

    Parameters
    ----------
    channel
        To the services of today.
    token
        What it shows.
    """

    def __init__(self, channel: grpc.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(RELEASE.read_bytes()).file:
            self._pool.Add(file)  # type: ignore[no-untyped-call]

    def message(self, name: str, **fields: object) -> Any:
        """A message of the last release."""
        return GetMessageClass(self._pool.FindMessageTypeByName(f"learndock.v1.{name}"))(**fields)

    def method(self, service: str, name: str) -> Callable[..., Any]:
        """A unary method of the last release, which takes the request's fields."""
        descriptor = self._pool.FindServiceByName(f"learndock.v1.{service}").FindMethodByName(name)
        request, response = GetMessageClass(descriptor.input_type), GetMessageClass(descriptor.output_type)
        call = self._channel.unary_unary(
            f"/learndock.v1.{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return lambda **fields: call(request(**fields), metadata=self._metadata, timeout=60)
