"""Members from another feature space: the task's columns become theirs, and what they lack is filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace
from learndock.reuse.member import Inputs, Member, Predictor
from learndock.rkme.specification import Specification
from learndock.schema.assignment import Assignment
from learndock.schema.completion import Completion

# A row with gaps is completed in its likeliest ways, this many, and the answers are averaged.
COMPLETIONS = 5


@dataclass(frozen=True, eq=False)
class Mapped:
    """A model that is given rows of a task's columns.

    Where the model knows columns that the task lacks, its answer is the expectation over the likeliest completions of
    the row, each with its probability under the model's own specification; see `Completion`. Of a model that answers
    with classes, the answer to the likeliest one counts.

    Attributes
    ----------
    model
        The model.
    assignment
        Which columns are one.
    completion
        What fills the others; None where there is none to fill.
    """

    model: Predictor
    assignment: Assignment
    completion: Completion | None

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        """See `Predictor`.

        Raises
        ------
        InvalidInput
            The rows do not have the task's columns (SHAPE_MISMATCH).
        """
        rows = self.assignment.converted(self._checked(X))
        if self.completion is None:
            return self.model.predict(rows[:, np.argsort(self.assignment.learnware_columns)])
        several, probabilities = self.completion.likeliest(rows, COMPLETIONS)
        count, ways, dimension = several.shape
        answers = np.asarray(self.model.predict(several.reshape(count * ways, dimension)))
        answers = answers.reshape(count, ways, *answers.shape[1:])
        if not np.issubdtype(answers.dtype, np.floating):  # classes have no mean; the likeliest completion speaks
            return np.asarray(answers[:, 0])
        return np.asarray(np.einsum("nc,nc...->n...", probabilities, answers))

    def _checked(self, X: Inputs) -> NDArray[np.generic]:
        rows = np.asarray(X)
        if rows.ndim != 2 or rows.shape[1] != self.assignment.task_dimension:
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"Rows must have the {self.assignment.task_dimension} columns of the task, not {list(rows.shape[1:])}.",
                field="rows",
            )
        return rows


def mapped(member: Member, assignment: Assignment, task_input: FeatureSpace) -> Member:
    """The member as one that takes the task's rows.

    Parameters
    ----------
    member
        From a feature space of its own; its specification is needed where it knows columns that the task lacks.
    assignment
        Which columns are one; at least one is.
    task_input
        What the task's columns are.

    Raises
    ------
    InvalidInput
        No column is matched, columns are missing and there is no specification to fill them from, or the dimensions
        are others than those of the assignment (STRATEGY_UNSUITABLE).
    """
    specification = member.specification
    missing = len(assignment.matches) < assignment.learnware_dimension
    if not assignment.matches or (missing and specification is None):
        raise _unsuitable(member, "shares no column with the task, or says nothing to fill its other columns from")
    if specification is not None and specification.dimension != assignment.learnware_dimension:
        raise _unsuitable(member, f"has {specification.dimension} columns, not {assignment.learnware_dimension}")
    completion = None
    if missing and specification is not None:
        completion = Completion.fit(specification, assignment.learnware_columns)
    return replace(
        member,
        model=Mapped(member.model, assignment, completion),
        specification=in_task_columns(specification, assignment, task_input),
        semantic=replace(member.semantic, input=task_input),
    )


def in_task_columns(
    specification: Specification | None, assignment: Assignment, task_input: FeatureSpace
) -> Specification | None:
    """What is known of a member's inputs in the task's columns: exact where all of these are matched, else nothing.

    The kernel is a product over columns, so leaving columns of a specification out gives that of the marginal.
    """
    if specification is None or len(assignment.matches) < assignment.task_dimension:
        return None
    atoms = np.empty((specification.atom_count, assignment.task_dimension), dtype=np.float32)
    for match in assignment.matches:
        column = specification.atoms[:, match.learnware_column].astype(np.float64)
        atoms[:, match.task_column] = (column - match.conversion.offset) / match.conversion.factor
    return replace(specification, atoms=atoms, item_shape=(), input=task_input, fidelity=None, privacy=None)


def _unsuitable(member: Member, what: str) -> InvalidInput:
    return InvalidInput(Reason.STRATEGY_UNSUITABLE, f"{member.learnware_id} {what}.", field="members")
