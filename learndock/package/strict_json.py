"""JSON from strangers: bounded in size and depth, and free of what JSON does not have."""

from __future__ import annotations

import json
from typing import NoReturn

from learndock.errors import InvalidInput, Reason

MAX_DEPTH = 32


def parse_json(data: bytes, *, max_bytes: int, reason: Reason, field: str) -> object:
    """The value that `data` holds.

    Parameters
    ----------
    data
        JSON text in UTF-8.
    max_bytes
        How long it may be.
    reason, field
        What an error is called and is about.

    Raises
    ------
    InvalidInput
        Too long, not UTF-8, not JSON, deeper than `MAX_DEPTH`, or holding NaN or infinity.
    """
    if len(data) > max_bytes:
        raise InvalidInput(reason, f"The JSON text has {len(data)} bytes; at most {max_bytes} are taken.", field=field)
    try:
        value: object = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(reason, f"The text is not JSON: {str(error)[:200]}", field=field) from None
    if _deeper_than(value, MAX_DEPTH):
        raise InvalidInput(reason, f"The JSON text is nested deeper than {MAX_DEPTH}.", field=field)
    return value


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def _deeper_than(value: object, depth: int) -> bool:
    level = [value]
    for _ in range(depth + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
