"""A table's columns with their meanings as vectors, ready to be matched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace
from learndock.schema.column import Column, columns_of

Encode = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts to vectors [n, e]; one sentence encoder for all that is compared."""


@dataclass(frozen=True, eq=False)
class Schema:
    """What the columns of a table are.

    Attributes
    ----------
    columns
        In their order.
    vectors
        Unit vectors of their meanings, float64 [d, e]; zero where a column has none.
    """

    columns: tuple[Column, ...]
    vectors: NDArray[np.float64]

    @classmethod
    def of(
        cls, space: FeatureSpace, atoms: NDArray[np.floating], weights: NDArray[np.float64], encode: Encode
    ) -> Schema | None:
        """Schema of what is said of columns and of weighted atoms [K, d]; None where nothing is said of any."""
        columns = columns_of(space, atoms, weights)
        known = [i for i, column in enumerate(columns) if column.meaning is not None]
        if not known:
            return None
        found = np.asarray(encode([column.meaning.text for column in columns if column.meaning]), dtype=np.float64)
        vectors = np.zeros((len(columns), found.shape[1]))
        vectors[known] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), np.finfo(float).tiny)
        return cls(columns, vectors)
