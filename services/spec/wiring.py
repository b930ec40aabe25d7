"""The specification service, wired."""

from __future__ import annotations

from learndock.serving.application import Application, Servicer
from learndock.v1 import spec_service_pb2_grpc as rpc
from services.spec.config import Settings
from services.spec.reception import RowMemory
from services.spec.servicer import SpecificationServicer

# A specification takes up to 16 MiB; files of the reference engine, in decimal digits, several times as much.
_MAX_MESSAGE_BYTES = 32 * 2**20


def build(settings: Settings) -> Application:
    """Specification service; it keeps nothing, so there is nothing to open or to close."""
    servicer = SpecificationServicer(RowMemory(settings.max_row_bytes))
    register = rpc.add_SpecificationServiceServicer_to_server
    return Application(
        name="spec",
        servicers=(Servicer("learndock.v1.SpecificationService", servicer, register),),
        max_message_bytes=_MAX_MESSAGE_BYTES,
    )
