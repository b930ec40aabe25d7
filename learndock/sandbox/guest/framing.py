"""Messages between host and guest: a JSON header, then the raw bytes of arrays and texts that it declares.

A frame is the header's length (4 bytes, big-endian), the header, and the values one after another. Types and shapes
come first and are checked, with all sizes, before memory is taken. Nothing is ever unpickled. What the host declares
with a place (`at`) is not in the frame: the guest finds it in a file, at that offset.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
import json
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_HEADER_BYTES = 1024 * 1024
MAX_VALUES = 2
MAX_AXES = 8
MAX_TEXTS = 65_536
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")

REQUESTS, REPLIES, INPUTS = "requests", "replies", "inputs"
"""Where host and guest share a kernel: names of the two pipes and of the file, in one folder."""

_JOINED_BYTES = 64 * 1024

Value = NDArray[Any] | list[str]
Header = dict[str, Any]


class FrameError(ValueError):
    """The other side sent something that is not a frame."""


Place = Callable[["bytes | memoryview", int], "int | None"]
"""Puts a body behind the end of those before; tells where it begins, None when it belongs into the frame."""


def encode(header: Header, values: Sequence[Value] = (), place: Place | None = None) -> list[bytes | memoryview]:
    """The pieces of a frame, to be written one after another.

    Parameters
    ----------
    header
        What is said.
    values
        What goes with it.
    place
        Puts a value elsewhere; None when all are in the frame.
    """
    declared, bodies, end = [], [], 0
    for value in values:
        declaration, body = _body(value)
        begin = place(body, end) if place is not None else None
        if begin is None:
            bodies.append(body)
        else:
            declaration["at"], end = begin, begin + len(body)
        declared.append(declaration)
    head = json.dumps({**header, "values": declared}).encode()
    if len(head) > MAX_HEADER_BYTES:
        raise FrameError(f"A header of {len(head)} bytes is too long.")
    pieces = [struct.pack(">I", len(head)), head, *bodies]
    # One write wakes the other side once.
    return [b"".join(pieces)] if sum(map(len, bodies)) <= _JOINED_BYTES else [b"".join(pieces[:2]), *bodies]


def _body(value: Value) -> tuple[Header, bytes | memoryview]:
    if isinstance(value, list):
        texts = json.dumps(value).encode()
        return {"kind": "text", "count": len(value), "size": len(texts)}, texts
    array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).reshape(value.shape)
    if array.dtype.str not in DTYPES:
        raise FrameError(f"Arrays of {array.dtype} cannot be sent.")
    return {"kind": "array", "dtype": array.dtype.str, "shape": list(array.shape)}, array.reshape(-1).view("u1").data


def decode(
    read_exactly: Callable[[int], bytearray], max_bytes: int, fetch: Callable[[int, int], bytearray] | None = None
) -> tuple[Header, list[Value]]:
    """Read one frame.

    Parameters
    ----------
    read_exactly
        Gives the next n bytes.
    max_bytes
        Most bytes of all values together.
    fetch
        Gives the bytes of a value that lies elsewhere, by offset and size; None when the other side, not being
        trusted, may place none.

    Raises
    ------
    FrameError
        What comes is not a frame, or too large.
    """
    (length,) = struct.unpack(">I", read_exactly(4))
    if length > MAX_HEADER_BYTES:
        raise FrameError(f"A header of {length} bytes is too long.")
    header = _header(bytes(read_exactly(length)))
    declared = header.pop("values", None)
    if not isinstance(declared, list) or len(declared) > MAX_VALUES:
        raise FrameError("The header declares no list of values.")
    sizes = [_size(value) for value in declared]
    if sum(sizes) > max_bytes:
        raise FrameError(f"Values of {sum(sizes)} bytes exceed {max_bytes}.")
    return header, [
        _value(value, read_exactly(size) if "at" not in value else _elsewhere(value["at"], size, fetch))
        for value, size in zip(declared, sizes, strict=True)
    ]


def _elsewhere(offset: object, size: int, fetch: Callable[[int, int], bytearray] | None) -> bytearray:
    if fetch is None or type(offset) is not int:
        raise FrameError("A value does not lie in its frame.")
    return fetch(offset, size)


def _header(data: bytes) -> Header:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FrameError("The header is not JSON.") from error
    if not isinstance(header, dict):
        raise FrameError("The header is not an object.")
    return header


def _size(declared: object) -> int:
    if not isinstance(declared, dict):
        raise FrameError("A value is not declared by an object.")
    if declared.get("kind") == "text":
        if not _is_count(declared.get("count"), MAX_TEXTS) or not _is_count(declared.get("size"), 2**40):
            raise FrameError("Texts are declared without a valid count and size.")
        return int(declared["size"])
    shape = declared.get("shape")
    if declared.get("kind") != "array" or declared.get("dtype") not in DTYPES:
        raise FrameError("A value is neither texts nor an array of a known type.")
    if not isinstance(shape, list) or len(shape) > MAX_AXES or not all(_is_count(axis, 2**40) for axis in shape):
        raise FrameError("An array has no valid shape.")
    return math.prod(shape) * int(np.dtype(declared["dtype"]).itemsize)


def _is_count(number: object, most: int) -> bool:
    return type(number) is int and 0 <= number <= most


def _value(declared: Header, data: bytearray) -> Value:
    if declared["kind"] == "array":
        return np.frombuffer(data, dtype=declared["dtype"]).reshape(declared["shape"])
    try:
        texts = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise FrameError("Texts are not JSON.") from error
    if not isinstance(texts, list) or len(texts) != declared["count"] or not all(isinstance(t, str) for t in texts):
        raise FrameError("Texts are not the declared number of strings.")
    return texts
