"""Answers of several members made fit for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.member import Member
from learndock.reuse.outputs import ClassSet, OutputKind, labels_of
from learndock.reuse.prediction import Answer, Fault, Faults


@dataclass(frozen=True, eq=False)
class Part:
    """A member's answer to some of the rows, whose indices are `rows`, intp [p]."""

    rows: NDArray[np.intp]
    answer: Answer


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


def assemble(parts: Sequence[Part], class_set: ClassSet, row_count: int) -> tuple[NDArray[np.generic], OutputKind]:
    """One output of all rows, from parts that hold every row once.

    Returns
    -------
    outputs
        First axis `row_count`; classes in the common order.
    kind
        What they are.
    """
    kind = common_kind([part.answer for part in parts])
    blocks = [_block(part.answer, class_set, kind) for part in parts]
    whole = np.zeros((row_count, *blocks[0].shape[1:]), dtype=np.result_type(*blocks))
    for part, block in zip(parts, blocks, strict=True):
        whole[part.rows] = block
    return whole, kind


def _block(answer: Answer, class_set: ClassSet, kind: OutputKind) -> NDArray[np.generic]:
    if kind is OutputKind.VALUES:
        return answer.output
    spread = class_set.spread(answer.position, answer.output, answer.kind)
    return labels_of(spread) if kind is OutputKind.LABELS else spread
