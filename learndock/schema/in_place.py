"""Whether two tables of as many columns describe the same columns in the same places."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace
from learndock.schema.column import Meaning
from learndock.schema.matching import LEAST_CONFIDENCE, equal_words, likeness_of_words
from learndock.schema.schema import Encode
from learndock.schema.units import conversion


def share_in_place(own: FeatureSpace, other: FeatureSpace, encode: Encode) -> float | None:
    """Share of the columns described on both sides that mean the same in the same place and unit, 0 to 1.

    None where nothing can be told: no place is described on both sides, or different words cannot be compared.
    """
    places = sorted(_described(own) & _described(other))
    if not places:
        return None
    left, right = ([Meaning.of(space.descriptions[place]) for place in places] for space in (own, other))
    vectors = np.asarray(encode([meaning.text for meaning in (*left, *right)]), dtype=np.float64)
    different = [not equal_words(one.text, two.text) for one, two in zip(left, right, strict=True)]
    if any(different) and not vectors.any():
        return None
    pairs = zip(left, right, vectors[: len(places)], vectors[len(places) :], strict=True)
    return float(np.mean([_same(*pair) for pair in pairs]))


def _described(space: FeatureSpace) -> set[int]:
    return {place for place, text in space.descriptions.items() if text.strip()}


def _same(own: Meaning, other: Meaning, left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    converted = conversion(own.unit, other.unit)
    if converted is None or not converted.changes_nothing:
        return False
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    cosine = float(left @ right) / lengths if lengths else 0.0
    return likeness_of_words(own.text, other.text, cosine) >= LEAST_CONFIDENCE
