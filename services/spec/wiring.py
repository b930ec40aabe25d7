"""The specification service, wired."""

from __future__ import annotations

from learndock.serving.application import Application, Servicer
from learndock.v1 import spec_service_pb2_grpc as rpc
from services.spec.config import Settings
from services.spec.reception import RowMemory
from services.spec.servicer import SpecificationServicer


def build(settings: Settings) -> Application:
    """Specification service; it keeps nothing, so there is nothing to open or to close."""
    servicer = SpecificationServicer(RowMemory(settings.max_row_bytes))
    register = rpc.add_SpecificationServiceServicer_to_server
    return Application(
        name="spec",
        servicers=(Servicer("learndock.v1.SpecificationService", servicer, register),),
        max_message_bytes=settings.max_message_bytes,
    )
