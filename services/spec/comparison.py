"""Comparing pairs of specifications."""

from __future__ import annotations

from collections.abc import Sequence

from learndock.errors import InvalidInput, Reason
from learndock.rkme.discrepancy import compare
from learndock.serving import caller
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import specification_from_message

MAX_PAIRS = 256


def compare_pairs(pairs: Sequence[pb.SpecificationPair]) -> list[float]:
    """Squared MMD of each pair, in order; a pair is decoded when its turn comes.

    Raises
    ------
    InvalidInput
        Not 1 to 256 pairs, or a pair that is malformed or cannot be compared.
    """
    if not 1 <= len(pairs) <= MAX_PAIRS:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"There must be 1 to {MAX_PAIRS} pairs, not {len(pairs)}.", field="pairs"
        )
    found = []
    for pair in pairs:
        caller.check_active()
        found.append(compare(specification_from_message(pair.first), specification_from_message(pair.second)))
    return found
