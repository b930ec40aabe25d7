"""A reuser as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.labels import Labelled
from learndock.reuse.mapped import in_task_columns
from learndock.reuse.prediction import Fault
from learndock.reuse.strategy import Strategy
from learndock.rkme.specification import Specification
from learndock.schema.assignment import Assignment


class ReuserState(StrEnum):
    """Where a reuser stands."""

    PREPARING = "PREPARING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, eq=False)
class MemberRecord:
    """A member and what is known of it.

    Attributes
    ----------
    learnware_id, version, sha256
        Which package.
    weight
        Its share; the shares of a reuser sum to 1.
    semantic, specification
        What it is for, and what its training inputs looked like.
    fault
        Why it was left out when the reuser was prepared; empty when it takes part.
    assignment
        Which of the task's columns are its own; None where it takes the task's rows as they are.
    """

    learnware_id: str
    version: int
    sha256: str
    weight: float
    semantic: SemanticSpecification
    specification: Specification | None
    fault: str = ""
    assignment: Assignment | None = None

    def seen_by(self, task_input: FeatureSpace | None) -> MemberRecord:
        """The member in the task's columns, for whoever compares members; itself where it takes these as they are."""
        if self.assignment is None or task_input is None:
            return self
        specification = in_task_columns(self.specification, self.assignment, task_input)
        return replace(
            self, semantic=replace(self.semantic, input=task_input), specification=specification, assignment=None
        )


@dataclass(frozen=True)
class Learnt:
    """What a reuser made of its labelled rows; empty where there were none.

    Attributes
    ----------
    explanation
        How its answers come about, in words.
    contributions
        How much each member counts, in the members' order.
    expected_error
        By cross-validation; None where that was not made.
    """

    explanation: str = ""
    contributions: tuple[float, ...] = ()
    expected_error: float | None = None


NOTHING_LEARNT = Learnt()


@dataclass(frozen=True, eq=False)
class ReuserRecord:
    """A reuser.

    Attributes
    ----------
    reuser_id, owner_id
        Which, and whose.
    strategy
        How its members answer.
    members
        In the order in which they were named.
    state, phase, percent, reason
        Where it stands; see `learndock.v1.Reuser`.
    item_shape
        Shape of one input item, once a member has told it.
    create_time, expire_time
        When it was made, and when it is forgotten if not used.
    labelled
        Rows that its strategy learns from; None where there are none.
    presumed
        How its members would be reused without labels; None where the caller did not tell.
    learnt
        What came of them, once it is READY.
    asleep
        Whether its sandboxes were ended because it was idle.
    task_input
        What the task's columns are; None where every member takes the task's rows as they are.
    """

    reuser_id: str
    owner_id: str
    strategy: Strategy
    members: tuple[MemberRecord, ...]
    state: ReuserState
    phase: str
    percent: int
    reason: str
    item_shape: tuple[int, ...] | None
    create_time: datetime
    expire_time: datetime
    labelled: Labelled | None = None
    presumed: Strategy | None = None
    learnt: Learnt = NOTHING_LEARNT
    asleep: bool = False
    task_input: FeatureSpace | None = None

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Members that were left out when it was prepared."""
        return tuple(Fault(member.learnware_id, member.fault) for member in self.members if member.fault)

    @property
    def progress(self) -> tuple[ReuserState, str, int]:
        """What a watcher waits to see change."""
        return self.state, self.phase, self.percent
