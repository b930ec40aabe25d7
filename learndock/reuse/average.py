"""AVERAGE: the members' weighted mean, or their vote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.assembly import common_kind, fitting
from learndock.reuse.member import Inputs, shares
from learndock.reuse.outputs import OutputKind, labels_of
from learndock.reuse.prediction import SEVERAL, Answer, Prediction, Question, ask, in_order, no_member_left
from learndock.reuse.reuser import Reuser


class AverageReuser(Reuser):
    """Weighted mean of numbers, or weighted vote by probability.

    With weights w_i that sum to 1 over the members that answered: sum_i w_i f_i(x). A member that gives labels votes
    with its whole weight for one class; where all give labels the answer is the label with most weight, the smaller
    one at a tie.
    """

    def answer(self, X: Inputs, *, timeout: float | None = None) -> Prediction:  # noqa: D102
        seconds = self.timeout if timeout is None else timeout
        answers, faults = ask([Question(i, member, X) for i, member in enumerate(self.members)], seconds)
        if not answers:
            raise no_member_left(faults)
        answers, strays = fitting(answers, answers[0], self.members)
        kind = common_kind(answers)
        index = answers[0].position if len(answers) == 1 else SEVERAL
        return Prediction(
            outputs=self._mean(answers, kind),
            kind=kind,
            member_index=np.full(len(X), index, dtype=np.int32),
            faults=in_order(faults | strays),
        )

    def _mean(self, answers: Sequence[Answer], kind: OutputKind) -> NDArray[np.generic]:
        weights = shares([self.members[answer.position] for answer in answers])
        if kind is OutputKind.VALUES:
            terms = [answer.output.astype(np.float64) for answer in answers]
        else:
            terms = [self.class_set_.spread(answer.position, answer.output, answer.kind) for answer in answers]
        mean = np.tensordot(weights, np.stack(terms), axes=1)
        return labels_of(mean) if kind is OutputKind.LABELS else np.asarray(mean)
