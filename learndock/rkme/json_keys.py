"""Keys of a parsed JSON object, read with their types checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason


@dataclass(frozen=True)
class Keys:
    """A JSON object whose keys may be missing or of any type.

    Every reader raises `InvalidInput` naming the key, with the path to it, unless the value is of its type.

    Attributes
    ----------
    document
        The parsed object.
    path
        What stands before a key's name in an error, such as `learndock.`.
    """

    document: Mapping[str, object]
    path: str = ""

    def word(self, key: str, default: str = "") -> str:
        """A string."""
        value = self.document.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise self._malformed(key, "a string")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where the key is missing."""
        value = self.document.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self._malformed(key, "a list of strings")
        return tuple(value)

    def count(self, key: str) -> int:
        """A non-negative integer; 0 where the key is missing."""
        value = self.document.get(key)
        if value is None:
            return 0
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self._malformed(key, "a non-negative integer")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self.document.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= np.finfo(float).max:
            raise self._malformed(key, "a finite number")
        return float(value)

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None where the key is missing or null."""
        return None if self.document.get(key) is None else self.number(key)

    def numbers(self, key: str) -> NDArray[np.float64]:
        """A rectangular nested list of finite numbers, float64."""
        try:
            array = np.asarray(self.document[key])
        except KeyError:
            raise InvalidInput(Reason.FIELD_INVALID, f"{self.path}{key} is missing.", field=self.path + key) from None
        except ValueError:
            raise InvalidInput(
                Reason.SHAPE_MISMATCH, f"{self.path}{key} has rows of different lengths.", field=self.path + key
            ) from None
        if array.dtype.kind not in "iuf":
            raise self._malformed(key, "a list of numbers")
        if not np.isfinite(array).all():  # such as 1e999
            raise InvalidInput(
                Reason.NOT_FINITE, f"{self.path}{key} holds a number beyond float64.", field=self.path + key
            )
        return array.astype(np.float64)

    def section(self, key: str) -> Keys | None:
        """An object, or None where the key is missing or null."""
        value = self.document.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self._malformed(key, "an object")
        return Keys(value, f"{self.path}{key}.")

    def _malformed(self, key: str, expected: str) -> InvalidInput:
        return InvalidInput(Reason.FIELD_INVALID, f"{self.path}{key} must be {expected}.", field=self.path + key)
