"""Labelled rows to messages and back."""

from __future__ import annotations

import numpy as np

from learndock.errors import InvalidInput, Reason
from learndock.reuse.labels import Labelled
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import tensor_from_message, tensor_to_message
from services.reuse.inputs import read_items


def read_labelled(message: pb.LabelledRows) -> Labelled:
    """Labelled rows of a message.

    Raises
    ------
    InvalidInput
        They are no rows with a label each (SHAPE_MISMATCH), or hold NaN or infinity (NOT_FINITE).
    """
    given = message.WhichOneof("inputs")
    if given is None:
        raise InvalidInput(Reason.SHAPE_MISMATCH, "Labelled rows need rows or texts.", field="labelled")
    return Labelled(read_items(message, given, None), tensor_from_message(message.labels, "labelled.labels"))


def labelled_to_message(labelled: Labelled) -> pb.LabelledRows:
    """Message of labelled rows."""
    labels = tensor_to_message(labelled.truth)
    if isinstance(labelled.inputs, np.ndarray):
        return pb.LabelledRows(rows=tensor_to_message(labelled.inputs), labels=labels)
    return pb.LabelledRows(texts=types_pb2.TextBatch(values=labelled.inputs), labels=labels)
