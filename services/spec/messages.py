"""Messages of the specification service, made of values."""

from __future__ import annotations

from learndock.rkme.describe import Description
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import specification_to_message, tensor_to_message
from learndock.wire_private import private_to_message


def built_to_message(built: Specification | PrivateSpecification) -> pb.BuildSpecificationResponse:
    """Answer that hands over what was built."""
    if isinstance(built, PrivateSpecification):
        return pb.BuildSpecificationResponse(private_specification=private_to_message(built))
    return pb.BuildSpecificationResponse(specification=specification_to_message(built))


def description_to_message(description: Description) -> pb.DescribeSpecificationResponse:
    """Answer that describes a specification."""
    return pb.DescribeSpecificationResponse(
        atom_count=description.atom_count,
        dimension=description.dimension,
        effective_atom_count=description.effective_atom_count,
        column_means=tensor_to_message(description.column_means),
        column_deviations=tensor_to_message(description.column_deviations),
    )
