"""SpecificationService over `learndock.rkme`."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np

from learndock.encoders.reference_images import comparable
from learndock.rkme.describe import describe
from learndock.rkme.interchange import read_reference, write_reference
from learndock.rkme.sample import herd
from learndock.serving import caller
from learndock.v1 import spec_service_pb2 as pb
from learndock.v1 import spec_service_pb2_grpc as rpc
from learndock.wire import specification_from_message, specification_to_message, tensor_to_message
from services.spec.comparison import compare_pairs
from services.spec.messages import built_to_message, description_to_message
from services.spec.reception import RowMemory

Context = grpc.ServicerContext


class SpecificationServicer(rpc.SpecificationServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, memory: RowMemory) -> None:
        self._memory = memory

    def BuildSpecification(
        self, request_iterator: Iterator[pb.BuildSpecificationRequest], context: Context
    ) -> pb.BuildSpecificationResponse:
        """Build a specification of streamed rows or texts."""
        with self._memory.reception() as reception:
            for request in request_iterator:
                reception.add(request)
            built = reception.order.build(reception.items(), _stop_unless_wanted)
        return built_to_message(built)

    def DescribeSpecification(
        self, request: pb.DescribeSpecificationRequest, context: Context
    ) -> pb.DescribeSpecificationResponse:
        """Tell what a specification holds."""
        return description_to_message(describe(specification_from_message(request.specification)))

    def CompareSpecifications(
        self, request: pb.CompareSpecificationsRequest, context: Context
    ) -> pb.CompareSpecificationsResponse:
        """Tell the squared MMD of pairs, and whether it is more than chance."""
        return compare_pairs(request)

    def SampleSpecification(
        self, request: pb.SampleSpecificationRequest, context: Context
    ) -> pb.SampleSpecificationResponse:
        """Draw points by kernel herding."""
        specification = specification_from_message(request.specification)
        points = herd(specification, request.count, np.random.default_rng(request.seed))
        return pb.SampleSpecificationResponse(points=tensor_to_message(points))

    def ImportSpecification(
        self, request: pb.ImportSpecificationRequest, context: Context
    ) -> pb.ImportSpecificationResponse:
        """Read a file of the reference engine."""
        found = comparable(read_reference(request.json))
        return pb.ImportSpecificationResponse(specification=specification_to_message(found))

    def ExportSpecification(
        self, request: pb.ExportSpecificationRequest, context: Context
    ) -> pb.ExportSpecificationResponse:
        """Write a file that the reference engine reads."""
        return pb.ExportSpecificationResponse(json=write_reference(specification_from_message(request.specification)))


def _stop_unless_wanted(stage: str, share: float) -> None:
    """Stop a build whose caller has gone."""
    caller.check_active()
