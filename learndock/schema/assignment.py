"""Which columns of a task and of a learnware are one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.schema.units import AS_IT_IS, Conversion


@dataclass(frozen=True)
class Match:
    """A column of the task that is taken for one of the learnware's.

    Attributes
    ----------
    task_column, learnware_column
        Their positions.
    confidence
        0 to 1; 1 for what a person said or for equal words.
    conversion
        From the task's unit to the learnware's.
    """

    task_column: int
    learnware_column: int
    confidence: float = 1.0
    conversion: Conversion = AS_IT_IS


@dataclass(frozen=True)
class Assignment:
    """Which columns of a task and a learnware are one; no column is in two matches.

    Attributes
    ----------
    matches
        In the order of the learnware's columns.
    task_dimension, learnware_dimension
        Columns that there are.

    Raises
    ------
    InvalidInput
        A position is out of range or stands twice.
    """

    matches: tuple[Match, ...]
    task_dimension: int
    learnware_dimension: int

    def __post_init__(self) -> None:
        sides = (
            ("task_column", [m.task_column for m in self.matches], self.task_dimension),
            ("learnware_column", [m.learnware_column for m in self.matches], self.learnware_dimension),
        )
        for field, positions, dimension in sides:
            if len(set(positions)) < len(positions) or not all(0 <= p < dimension for p in positions):
                message = f"Every column may be named once, from 0 to {dimension - 1}; there are {positions}."
                raise InvalidInput(Reason.FIELD_INVALID, message, field=field)

    @property
    def coverage(self) -> float:
        """Share of the learnware's columns that the task has, each counted by its confidence, 0 to 1."""
        return sum(match.confidence for match in self.matches) / self.learnware_dimension

    @property
    def task_columns(self) -> NDArray[np.intp]:
        """Positions in the task, in the order of the matches."""
        return np.array([match.task_column for match in self.matches], dtype=np.intp)

    @property
    def learnware_columns(self) -> NDArray[np.intp]:
        """Positions in the learnware, in the order of the matches."""
        return np.array([match.learnware_column for match in self.matches], dtype=np.intp)

    def converted(self, rows: NDArray[np.generic]) -> NDArray[np.float64]:
        """The task's rows [n, task_dimension] as the learnware knows the matched columns, float64 [n, m]."""
        picked = np.asarray(rows, dtype=np.float64)[:, self.task_columns]
        for position, match in enumerate(self.matches):
            if not match.conversion.changes_nothing:
                picked[:, position] = match.conversion(picked[:, position])
        return picked
