"""Members of another feature space: which of the task's columns are theirs, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace
from learndock.schema.assignment import Assignment
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.wire import feature_space_from_message, match_from_message, match_to_message
from services.reuse.record import MemberRecord


def read_task_input(request: pb.CreateReuserRequest) -> FeatureSpace | None:
    """What the task's columns are; None where no member asks.

    Raises
    ------
    InvalidInput
        A member names columns, and it is not told how many the task has.
    """
    if not any(member.columns for member in request.members):
        return None
    if not request.task_input.dimension:
        raise InvalidInput(
            Reason.FIELD_INVALID, "Tell the task's columns where a member names its own.", field="task_input"
        )
    return feature_space_from_message(request.task_input)


def with_columns(
    member: MemberRecord, columns: Sequence[types_pb2.ColumnMatch], task_input: FeatureSpace | None, field: str
) -> MemberRecord:
    """The member with those of the task's columns that are its own.

    Raises
    ------
    InvalidInput
        A position is out of range or stands twice, or columns are to be filled of which nothing is known
        (STRATEGY_UNSUITABLE); the error names the field.
    """
    if not columns or task_input is None:
        return member
    assignment = read_assignment(columns, task_input.dimension, member.semantic.input, field)
    if member.specification is None and len(assignment.matches) < assignment.learnware_dimension:
        message = f"{member.learnware_id} has no specification to fill the columns from that the task lacks."
        raise InvalidInput(Reason.STRATEGY_UNSUITABLE, message, field=field)
    return replace(member, assignment=assignment)


def read_assignment(
    columns: Sequence[types_pb2.ColumnMatch], task_dimension: int, space: FeatureSpace | None, field: str = "columns"
) -> Assignment:
    """Assignment of a message to a learnware of columns `space`."""
    if space is None:
        message = "The learnware does not tell how many columns it has."
        raise InvalidInput(Reason.STRATEGY_UNSUITABLE, message, field=field)
    matches = tuple(match_from_message(column, field) for column in columns)
    return Assignment(matches, task_dimension, space.dimension)


def columns_to_message(member: MemberRecord) -> list[types_pb2.ColumnMatch]:
    """Message of a member's columns; empty for one that takes the task's rows as they are."""
    return [match_to_message(match) for match in member.assignment.matches] if member.assignment else []
