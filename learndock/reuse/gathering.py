"""What all members say of the same rows, in one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.assembly import common_kind, fitting
from learndock.reuse.member import Inputs, Member
from learndock.reuse.outputs import ClassSet, OutputKind, labels_of
from learndock.reuse.prediction import Faults, Question, ask, no_member_left

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of m members for n rows, brought to c common columns.

    Attributes
    ----------
    values
        float64 [m, n, c]: numbers, or probabilities of the common classes; 0 for a member that is absent.
    present
        Which members answered, bool [m].
    kind
        What the members gave; labels are probabilities that are sure of themselves.
    item_shape
        Shape of one output as the members give it; () for plain numbers.
    """

    values: NDArray[np.float64]
    present: NDArray[np.bool_]
    kind: OutputKind
    item_shape: tuple[int, ...]

    @property
    def classes(self) -> bool:
        """Whether the columns are classes."""
        return self.kind is not OutputKind.VALUES

    def rows(self, chosen: NDArray[np.intp]) -> Outputs:
        """The same members on some of the rows."""
        return Outputs(self.values[:, chosen], self.present, self.kind, self.item_shape)

    def weights(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weights [m] over the present members only, summing to 1; equal ones where none of them has any."""
        left = np.where(self.present, weights, 0.0)
        if left.sum() <= 0:
            left = self.present.astype(np.float64)
        return np.asarray(left / left.sum())

    def mean(self, weights: NDArray[np.float64]) -> Matrix:
        """Weighted mean of the present members, float64 [n, c]."""
        return np.asarray(np.tensordot(self.weights(weights), self.values, axes=1))

    def blended(self, shares: NDArray[np.float64]) -> Matrix:
        """Mean of the members with shares [n, m] of their own for each row, float64 [n, c]."""
        return np.asarray(np.einsum("nm,mnc->nc", shares, self.values))

    def as_given(self, answer: Matrix) -> NDArray[np.generic]:
        """An answer [n, c] as the members give theirs: numbers of their shape, labels [n] or probabilities [n, c]."""
        if self.kind is OutputKind.LABELS:
            return labels_of(answer)
        return answer if self.classes else answer.reshape(len(answer), *self.item_shape)

    def widened(self, columns: int) -> Outputs:
        """The same with at least so many columns, for classes that only the labels know."""
        more = max(0, columns - self.values.shape[2])
        return Outputs(np.pad(self.values, ((0, 0), (0, 0), (0, more))), self.present, self.kind, self.item_shape)

    def completed(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values, with the mean of the others in the place of an absent member, float64 [m, n, c]."""
        return np.where(self.present[:, None, None], self.values, self.mean(weights)[None])


def gather(members: Sequence[Member], class_set: ClassSet, X: Inputs, timeout: float | None) -> tuple[Outputs, Faults]:
    """Ask all members about all rows.

    Raises
    ------
    Unavailable
        No member could answer (NO_MEMBER_LEFT).
    """
    answers, faults = ask([Question(i, member, X) for i, member in enumerate(members)], timeout)
    if not answers:
        raise no_member_left(faults)
    first = answers[0]
    answers, strays = fitting(answers, first, members)
    blocks = {
        answer.position: (
            answer.output.reshape(len(X), math.prod(answer.output.shape[1:])).astype(np.float64)
            if answer.kind is OutputKind.VALUES
            else class_set.spread(answer.position, answer.output, answer.kind)
        )
        for answer in answers
    }
    width = max(block.shape[1] for block in blocks.values())
    values = np.zeros((len(members), len(X), width))
    for position, block in blocks.items():
        values[position, :, : block.shape[1]] = block
    present = np.isin(np.arange(len(members)), list(blocks))
    return Outputs(values, present, common_kind(answers), first.output.shape[1:]), faults | strays
