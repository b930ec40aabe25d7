"""Rows that arrive in pieces, within a bound on memory; they are held as long as one build takes and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason, ResourceExhausted
from learndock.rkme.fit import BuildOptions
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import tensor_from_message
from services.spec.messages import options_from_message

_TYPES = (np.dtype("<f4"), np.dtype("<f8"))
_RETRY_SECONDS = 10.0


class RowMemory:
    """Bytes of rows that all builds of the process may hold together.

    Parameters
    ----------
    limit
        The bound, in bytes.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._held = 0

    @contextmanager
    def reception(self) -> Iterator[Reception]:
        """Room for the rows of one build; it is given back when the block ends, however it ends."""
        reception = Reception(self)
        try:
            yield reception
        finally:
            with self._lock:
                self._held -= reception.size

    def take(self, more: int, already: int) -> None:
        """Take room for `more` bytes beside the `already` held of the same build.

        Raises
        ------
        ResourceExhausted
            The build alone is too large (MESSAGE_TOO_LARGE), or it has to wait for others (TOO_MANY_REQUESTS).
        """
        if already + more > self._limit:
            raise ResourceExhausted(
                Reason.MESSAGE_TOO_LARGE,
                f"The rows exceed {self._limit} bytes; send a random part of them, or build beside the data.",
            )
        with self._lock:
            if self._held + more > self._limit:
                raise ResourceExhausted(
                    Reason.TOO_MANY_REQUESTS, "Other builds fill the memory for rows.", retry_after=_RETRY_SECONDS
                )
            self._held += more


class Reception:
    """Options and rows of one build, as they come."""

    def __init__(self, memory: RowMemory) -> None:
        self._memory = memory
        self._data = bytearray()
        self._dtype: np.dtype[np.generic] | None = None
        self._item_shape: tuple[int, ...] = ()
        self._first = True
        self.options = BuildOptions()

    @property
    def size(self) -> int:
        """Bytes held."""
        return len(self._data)

    def add(self, request: pb.BuildSpecificationRequest) -> None:
        """Take one message of the stream.

        Raises
        ------
        InvalidInput
            Options after the first message, or rows that are malformed or of another type or width than before.
        ResourceExhausted
            There is no room for the rows.
        """
        match request.WhichOneof("part"):
            case "options" if self._first:
                self.options = options_from_message(request.options)
            case "options":
                raise InvalidInput(Reason.FIELD_INVALID, "Options come once, in the first message.", field="options")
            case "rows":
                self._add_rows(tensor_from_message(request.rows, "rows"))
            case _:
                raise InvalidInput(Reason.FIELD_INVALID, "A message holds options or rows.", field="part")
        self._first = False

    def rows(self) -> NDArray[np.generic]:
        """All rows, sharing the bytes that came.

        Raises
        ------
        InvalidInput
            None came (TOO_FEW_ROWS).
        """
        if self._dtype is None:
            raise InvalidInput(Reason.TOO_FEW_ROWS, "No rows were sent.", field="rows")
        count = len(self._data) // (self._dtype.itemsize * int(np.prod(self._item_shape)))
        return np.frombuffer(self._data, dtype=self._dtype).reshape(count, *self._item_shape)

    def _add_rows(self, chunk: NDArray[np.generic]) -> None:
        if chunk.dtype not in _TYPES or chunk.ndim < 2 or 0 in chunk.shape[1:]:
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"Rows must be float32 or float64 [n, d], not {chunk.dtype.name} {list(chunk.shape)}.",
                field="rows",
            )
        if self._dtype is None:
            self._dtype, self._item_shape = chunk.dtype, chunk.shape[1:]
        if (chunk.dtype, chunk.shape[1:]) != (self._dtype, self._item_shape):
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"Rows began as {self._dtype.name} {['n', *self._item_shape]} and go on as"
                f" {chunk.dtype.name} {['n', *chunk.shape[1:]]}.",
                field="rows",
            )
        self._memory.take(chunk.nbytes, self.size)
        self._data += chunk.tobytes()
