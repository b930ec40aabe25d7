"""Messages of the specification service, to and from values."""

from __future__ import annotations

from learndock.rkme.describe import Description
from learndock.rkme.fit import BuildOptions
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import tensor_to_message


def options_from_message(message: pb.BuildOptions) -> BuildOptions:
    """Build options; zero means the default.

    Raises
    ------
    InvalidInput
        A number is out of bounds.
    """
    return BuildOptions(
        atom_count=message.atom_count or None,
        iterations=message.iterations or BuildOptions.iterations,
        seed=message.seed,
        allow_few_rows=message.allow_few_rows,
    )


def description_to_message(description: Description) -> pb.DescribeSpecificationResponse:
    """Answer that describes a specification."""
    return pb.DescribeSpecificationResponse(
        atom_count=description.atom_count,
        dimension=description.dimension,
        effective_atom_count=description.effective_atom_count,
        column_means=tensor_to_message(description.column_means),
        column_deviations=tensor_to_message(description.column_deviations),
    )
