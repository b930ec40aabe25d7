"""Inputs of a batch, checked against what a reuser takes."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.reuse.member import Inputs
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import tensor_from_message
from services.reuse.record import ReuserRecord

MAX_ROWS = 65_536


def read_inputs(request: pb.PredictRequest | pb.PredictStreamRequest, record: ReuserRecord) -> Inputs:
    """Rows [n, ...] or texts of a request.

    Raises
    ------
    InvalidInput
        They are not what the reuser takes (SHAPE_MISMATCH), or hold NaN or infinity (NOT_FINITE); the error names the
        field.
    """
    given = request.WhichOneof("inputs")
    expected = "texts" if record.members[0].semantic.data == "Text" else "rows"
    if given != expected:
        raise _mismatch(f"This reuser takes {expected}, not {given or 'nothing'}.", expected)
    return read_items(request, given, record.item_shape)


def read_items(
    message: pb.PredictRequest | pb.PredictStreamRequest | pb.LabelledRows,
    given: Literal["rows", "texts"],
    item_shape: tuple[int, ...] | None,
) -> Inputs:
    """Rows or texts, whichever is given; errors as of `read_inputs`."""
    return _texts(message.texts) if given == "texts" else _rows(message.rows, item_shape)


def _texts(message: types_pb2.TextBatch) -> list[str]:
    _check_count(len(message.values), "texts.values")
    return list(message.values)


def _rows(message: types_pb2.Tensor, item_shape: tuple[int, ...] | None) -> NDArray[np.generic]:
    rows = tensor_from_message(message, "rows")
    if rows.ndim < 2 or rows.dtype == np.bool_:
        raise _mismatch(f"Rows must be numbers [n, ...], not {rows.dtype} {list(rows.shape)}.", "rows")
    _check_count(len(rows), "rows")
    if item_shape is not None and rows.shape[1:] != item_shape:
        raise _mismatch(f"A row must have shape {list(item_shape)}, not {list(rows.shape[1:])}.", "rows")
    finite = np.isfinite(rows).reshape(len(rows), -1).all(axis=1)
    if not finite.all():
        raise InvalidInput(
            Reason.NOT_FINITE,
            f"Row {int(finite.argmin())} holds NaN or infinity; fill or drop such rows.",
            field="rows",
        )
    return rows


def _check_count(count: int, field: str) -> None:
    if not 1 <= count <= MAX_ROWS:
        raise _mismatch(f"A batch has 1 to {MAX_ROWS} items, not {count}.", field)


def _mismatch(message: str, field: str) -> InvalidInput:
    return InvalidInput(Reason.SHAPE_MISMATCH, message, field=field)
