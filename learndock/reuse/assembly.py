"""Answers of several members made fit for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learndock.reuse.member import Member
from learndock.reuse.outputs import OutputKind
from learndock.reuse.prediction import Answer, Fault, Faults


def common_kind(answers: Sequence[Answer]) -> OutputKind:
    """The kind that answers are brought to: probabilities as soon as one member gives them."""
    kinds = {answer.kind for answer in answers}
    return OutputKind.PROBABILITIES if OutputKind.PROBABILITIES in kinds else answers[0].kind


def fitting(answers: Sequence[Answer], first: Answer, members: Sequence[Member]) -> tuple[list[Answer], Faults]:
    """Answers shaped as the `first` one, and the faults of those that cannot be.

    Only numbers must be alike, [n] and [n, 1] counting as one shape; classes are brought together elsewhere.
    """
    kept, faults = [], {}
    for answer in answers:
        if answer.kind is not OutputKind.VALUES:
            kept.append(answer)
        elif _row_shape(answer) == _row_shape(first):
            kept.append(replace(answer, output=answer.output.reshape(len(answer.output), *first.output.shape[1:])))
        else:
            message = f"gave {_row_shape(answer)} a row where {_row_shape(first)} was given before"
            faults[answer.position] = Fault(members[answer.position].learnware_id, message)
    return kept, faults


def _row_shape(answer: Answer) -> tuple[int, ...]:
    return answer.output.shape[1:] or (1,)
