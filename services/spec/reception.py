"""Rows and texts that arrive in pieces, within a bound on memory; they are held for one build and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from learndock.encoders.encoder import Items
from learndock.errors import InvalidInput, Reason, ResourceExhausted
from learndock.learnware import Modality
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import tensor_from_message
from services.spec.order import Order, order_from_message

_TYPES = (np.dtype("<f4"), np.dtype("<f8"))
_PIXEL_TYPES = (*_TYPES, np.dtype("u1"))
# What Python holds of a text, at most.
_BYTES_PER_CHARACTER, _BYTES_PER_TEXT = 4, 80
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
    """Options and rows, or texts, of one build, as they come."""

    def __init__(self, memory: RowMemory) -> None:
        self._memory = memory
        self._data = bytearray()
        self._dtype: np.dtype[np.generic] | None = None
        self._item_shape: tuple[int, ...] = ()
        self._texts: list[str] = []
        self._size = 0
        self._first = True
        self.order = Order()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

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
                self.order = order_from_message(request.options)
            case "options":
                raise InvalidInput(Reason.FIELD_INVALID, "Options come once, in the first message.", field="options")
            case "rows":
                self._add_rows(tensor_from_message(request.rows, "rows"))
            case "texts":
                self._add_texts(request.texts.values)
            case _:
                raise InvalidInput(Reason.FIELD_INVALID, "A message holds options, rows or texts.", field="part")
        self._first = False

    def items(self) -> Items:
        """All that came: texts where the options announced them, else rows.

        Raises
        ------
        InvalidInput
            None came (TOO_FEW_ROWS).
        """
        return self.texts() if self.order.modality is Modality.TEXT else self.rows()

    def texts(self) -> list[str]:
        """All texts.

        Raises
        ------
        InvalidInput
            None came (TOO_FEW_ROWS).
        """
        if not self._texts:
            raise InvalidInput(Reason.TOO_FEW_ROWS, "No texts were sent.", field="texts")
        return self._texts

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
        if self.order.modality is Modality.TEXT:
            raise InvalidInput(Reason.FIELD_INVALID, "The options announce texts, not rows.", field="rows")
        types = _PIXEL_TYPES if self.order.modality is Modality.IMAGE else _TYPES
        if chunk.dtype not in types or chunk.ndim < 2 or 0 in chunk.shape[1:]:
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"Rows must be {' or '.join(one.name for one in types)} [n, ...], not"
                f" {chunk.dtype.name} {list(chunk.shape)}.",
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
        self._take(chunk.nbytes)
        self._data += chunk.tobytes()

    def _add_texts(self, texts: Sequence[str]) -> None:
        if self.order.modality is not Modality.TEXT:
            raise InvalidInput(Reason.FIELD_INVALID, "Texts come after options that announce them.", field="texts")
        self._take(sum(len(text) * _BYTES_PER_CHARACTER + _BYTES_PER_TEXT for text in texts))
        self._texts.extend(texts)

    def _take(self, more: int) -> None:
        self._memory.take(more, self._size)
        self._size += more
