"""Comparing pairs of specifications."""

from __future__ import annotations

import numpy as np

from learndock.errors import InvalidInput, Reason
from learndock.rkme.discrepancy import compare, permutation_test
from learndock.serving import caller
from learndock.v1 import spec_service_pb2 as pb
from learndock.wire import specification_from_message

MAX_PAIRS = 256


MAX_PERMUTATIONS = 10_000


def compare_pairs(request: pb.CompareSpecificationsRequest) -> pb.CompareSpecificationsResponse:
    """Squared MMD of each pair, and its p value if permutations are asked for; a pair is decoded in its turn.

    Raises
    ------
    InvalidInput
        Not 1 to 256 pairs, too many permutations, or a pair that is malformed or cannot be compared.
    """
    count = len(request.pairs)
    if not 1 <= count <= MAX_PAIRS:
        raise InvalidInput(Reason.FIELD_INVALID, f"There must be 1 to {MAX_PAIRS} pairs, not {count}.", field="pairs")
    if request.permutations > MAX_PERMUTATIONS:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"There must be at most {MAX_PERMUTATIONS} permutations.", field="permutations"
        )
    answer = pb.CompareSpecificationsResponse()
    for pair in request.pairs:
        caller.check_active()
        first, second = specification_from_message(pair.first), specification_from_message(pair.second)
        if request.permutations:
            generator = np.random.default_rng(request.seed)
            found = permutation_test(first, second, generator, permutations=request.permutations)
            answer.p_values.append(found.p_value)
        answer.mmd2.append(compare(first, second))
    return answer
