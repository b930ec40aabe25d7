"""Rows in the space of a specification: its encoder's vectors, or the numbers that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, LearndockError, Reason
from learndock.reuse.member import Inputs
from learndock.rkme.specification import Specification

if TYPE_CHECKING:
    from learndock.encoders.encoder import Encoder


def comparable(specification: Specification | None) -> bool:
    """Whether rows can be compared with a specification here.

    It must be in the units of the rows, or of an encoder that this machine has in the same revision.
    """
    return specification is not None and (not specification.encoder or _encoder(specification) is not None)


def vectors(X: Inputs, specification: Specification) -> NDArray[np.float64]:
    """Rows or texts in the space of a comparable specification, float64 [n, d].

    Raises
    ------
    InvalidInput
        There is no row, it is not of numbers (SHAPE_MISMATCH), or the encoder cannot read it.
    """
    if specification.encoder:
        encoder = _encoder(specification)
        if encoder is None:
            raise InvalidInput(Reason.STRATEGY_UNSUITABLE, f"The encoder {specification.encoder} is not at hand.")
        return np.asarray(encoder.encode(X), dtype=np.float64)
    rows = np.asarray(X)
    if rows.ndim < 2 or not len(rows) or not np.issubdtype(rows.dtype, np.number):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Rows must be numbers [n, ...] with n >= 1, not {rows.dtype} {rows.shape}.",
            field="rows",
        )
    return np.asarray(rows.reshape(len(rows), -1), dtype=np.float64)


def _encoder(specification: Specification) -> Encoder | None:
    try:
        from learndock.encoders import registry  # here: it may need what is not installed
    except ImportError:
        return None
    try:
        found = registry.encoder(specification.encoder)
    except LearndockError:
        return None
    return found if found.revision == specification.encoder_revision else None
