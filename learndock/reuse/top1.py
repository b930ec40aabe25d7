"""TOP1: the first member alone."""

from __future__ import annotations

import numpy as np

from learndock.reuse.member import Inputs
from learndock.reuse.prediction import Prediction, Question, ask, no_member_left
from learndock.reuse.reuser import Reuser


class Top1Reuser(Reuser):
    """The first member's outputs, untouched; the others are never asked."""

    def _answer(self, X: Inputs, timeout: float | None) -> Prediction:
        answers, faults = ask([Question(0, self.members[0], X)], timeout)
        if not answers:
            raise no_member_left(faults)
        return Prediction(answers[0].output, answers[0].kind, np.zeros(len(X), dtype=np.int32))
