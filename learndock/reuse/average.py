"""AVERAGE: the members' weighted mean, or their vote."""

from __future__ import annotations

import numpy as np

from learndock.reuse.gathering import gather
from learndock.reuse.member import Inputs, shares
from learndock.reuse.prediction import SEVERAL, Prediction, in_order
from learndock.reuse.reuser import Reuser


class AverageReuser(Reuser):
    """Weighted mean of numbers, or weighted vote by probability.

    With weights w_i that sum to 1 over the members that answered: sum_i w_i f_i(x). A member that gives labels votes
    with its whole weight for one class; where all give labels the answer is the label with most weight, the smaller
    one at a tie.
    """

    def _answer(self, X: Inputs, timeout: float | None) -> Prediction:
        outputs, faults = gather(self.members, self.class_set_, X, timeout)
        answered = np.flatnonzero(outputs.present)
        return Prediction(
            outputs=outputs.as_given(outputs.mean(shares(self.members))),
            kind=outputs.kind,
            member_index=np.full(len(X), answered[0] if len(answered) == 1 else SEVERAL, dtype=np.int32),
            faults=in_order(faults),
        )
