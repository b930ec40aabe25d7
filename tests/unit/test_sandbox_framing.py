"""Frames between host and guest: what is sent arrives, and anything else is refused before memory is taken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
import json
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from learndock.sandbox.guest.framing import DTYPES, MAX_HEADER_BYTES, FrameError, decode, encode

LIMIT = 2**20


def reader(data: bytes) -> Callable[[int], bytearray]:
    position = 0

    def read(count: int) -> bytearray:
        nonlocal position
        assert count <= LIMIT + MAX_HEADER_BYTES, "memory was asked for that no frame may take"
        if position + count > len(data):
            raise EOFError
        position += count
        return bytearray(data[position - count : position])

    return read


def joined(pieces: list[Any]) -> bytes:
    return b"".join(bytes(piece) for piece in pieces)


def frame(header: object, body: bytes = b"") -> bytes:
    head = json.dumps(header).encode()
    return struct.pack(">I", len(head)) + head + body


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 0, 4)])
def test_arrays_arrive(dtype: str, shape: tuple[int, ...]) -> None:
    sent = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    header, (received,) = decode(reader(joined(encode({"command": "predict"}, [sent]))), LIMIT)
    assert header == {"command": "predict"}
    assert isinstance(received, np.ndarray)
    assert (received.dtype, received.shape) == (sent.dtype, sent.shape)
    np.testing.assert_array_equal(received, sent)


def test_arrays_of_any_layout_arrive() -> None:
    sent = np.arange(24.0).reshape(4, 6).T[::2].astype(">f8")
    _, (received,) = decode(reader(joined(encode({}, [sent]))), LIMIT)
    np.testing.assert_array_equal(received, sent)


def test_what_arrives_can_be_changed_in_place() -> None:
    _, (received,) = decode(reader(joined(encode({}, [np.zeros(3)]))), LIMIT)
    assert isinstance(received, np.ndarray)
    received += 1


@given(st.lists(st.text(), max_size=20))
def test_texts_arrive(texts: list[str]) -> None:
    texts = [text for text in texts if not any(0xD800 <= ord(letter) < 0xE000 for letter in text)]
    assert decode(reader(joined(encode({}, [texts]))), LIMIT)[1] == [texts]


def test_what_the_host_places_elsewhere_is_fetched() -> None:
    sent = [np.arange(1000.0), np.arange(6).reshape(2, 3), np.ones(7)]
    places: dict[int, bytes] = {}

    def place(body: bytes | memoryview, end: int) -> int | None:
        places[end] = bytes(body)
        return end if len(body) > 50 else None

    data = joined(encode({}, sent[:2], place))
    assert len(data) < 1000
    _, values = decode(reader(data), LIMIT, lambda offset, size: bytearray(places[offset][:size]))
    for received, expected in zip(values, sent, strict=False):
        np.testing.assert_array_equal(received, expected)


def test_other_types_are_not_sent() -> None:
    for array in (np.array([object()]), np.array(["a"]), np.array([1j]), np.array(["2020-01-01"], dtype="M8[D]")):
        with pytest.raises(FrameError):
            encode({}, [array])


ARRAY = {"kind": "array", "dtype": "<f8", "shape": [2]}
REFUSED = {
    "header too long": struct.pack(">I", MAX_HEADER_BYTES + 1),
    "header no JSON": struct.pack(">I", 3) + b"\xff\xfe{",
    "header a list": frame([]),
    "header nested": struct.pack(">I", 200_000) + b"[" * 200_000,
    "no values": frame({}),
    "values no list": frame({"values": 3}),
    "too many values": frame({"values": [ARRAY] * 3}, b"\0" * 48),
    "value no object": frame({"values": [7]}),
    "unknown kind": frame({"values": [{"kind": "pickle", "size": 3}]}, b"abc"),
    "object array": frame({"values": [{**ARRAY, "dtype": "|O"}]}, b"\0" * 16),
    "other byte order": frame({"values": [{**ARRAY, "dtype": ">f8"}]}, b"\0" * 16),
    "dtype no text": frame({"values": [{**ARRAY, "dtype": ["<f8"]}]}, b"\0" * 16),
    "negative axis": frame({"values": [{**ARRAY, "shape": [-1]}]}),
    "two negative axes": frame({"values": [{**ARRAY, "shape": [-1, -2]}]}, b"\0" * 16),
    "true axis": frame({"values": [{**ARRAY, "shape": [True]}]}, b"\0" * 8),
    "float axis": frame({"values": [{**ARRAY, "shape": [2.0]}]}, b"\0" * 16),
    "no shape": frame({"values": [{"kind": "array", "dtype": "<f8"}]}),
    "not in the frame": frame({"values": [{**ARRAY, "at": 0}]}, b"\0" * 16),
    "too many axes": frame({"values": [{**ARRAY, "shape": [1] * 9}]}, b"\0" * 8),
    "too large": frame({"values": [{**ARRAY, "shape": [2**20]}]}),
    "far too large": frame({"values": [{**ARRAY, "shape": [2**40, 2**40]}]}),
    "sum too large": frame({"values": [{**ARRAY, "shape": [2**16 + 1]}] * 2}),
    "texts too large": frame({"values": [{"kind": "text", "count": 1, "size": 2**30}]}),
    "texts of no count": frame({"values": [{"kind": "text", "size": 2}]}, b"[]"),
    "texts no JSON": frame({"values": [{"kind": "text", "count": 1, "size": 2}]}, b"[["),
    "texts miscounted": frame({"values": [{"kind": "text", "count": 1, "size": 2}]}, b"[]"),
    "texts of numbers": frame({"values": [{"kind": "text", "count": 1, "size": 3}]}, b"[1]"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode(reader(data), LIMIT)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(FrameError, EOFError):
        decode(reader(data), LIMIT)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
declarations = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["array", "text"]) | json_values,
        "dtype": st.sampled_from(sorted(DTYPES)) | json_values,
        "shape": st.lists(st.integers(-2, 2**41), max_size=9) | json_values,
        "count": st.integers(-2, 10) | json_values,
        "size": st.integers(-2, 10) | json_values,
    },
)


@given(st.lists(declarations, max_size=3), st.binary(max_size=100))
def test_any_declaration_is_read_or_refused(values: list[object], body: bytes) -> None:
    with suppress(FrameError, EOFError):
        decode(reader(frame({"values": values}, body)), LIMIT)
