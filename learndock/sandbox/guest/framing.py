"""Messages between host and guest: a JSON header, then the raw bytes of arrays and texts that it declares.

A frame is the header's length (4 bytes, big-endian), the header, and the values one after another. Types and shapes
come first and are checked, with all sizes, before memory is taken. Nothing is ever unpickled.
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

Value = NDArray[Any] | list[str]
Header = dict[str, Any]


class FrameError(ValueError):
    """The other side sent something that is not a frame."""


def encode(header: Header, values: Sequence[Value] = ()) -> list[bytes | memoryview]:
    """The pieces of a frame, to be written one after another."""
    bodies = [_body(value) for value in values]
    declared = [declaration for declaration, _ in bodies]
    head = json.dumps({**header, "values": declared}).encode()
    if len(head) > MAX_HEADER_BYTES:
        raise FrameError(f"A header of {len(head)} bytes is too long.")
    return [struct.pack(">I", len(head)), head, *(body for _, body in bodies)]


def _body(value: Value) -> tuple[Header, bytes | memoryview]:
    if isinstance(value, list):
        texts = json.dumps(value).encode()
        return {"kind": "text", "count": len(value), "size": len(texts)}, texts
    array = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).reshape(value.shape)
    if array.dtype.str not in DTYPES:
        raise FrameError(f"Arrays of {array.dtype} cannot be sent.")
    return {"kind": "array", "dtype": array.dtype.str, "shape": list(array.shape)}, array.reshape(-1).view("u1").data


def decode(read_exactly: Callable[[int], bytearray], max_bytes: int) -> tuple[Header, list[Value]]:
    """Read one frame.

    Parameters
    ----------
    read_exactly
        Gives the next n bytes.
    max_bytes
        Most bytes of all values together.

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
    return header, [_value(value, read_exactly(size)) for value, size in zip(declared, sizes, strict=True)]


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
