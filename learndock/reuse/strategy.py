"""Which strategy suits which members."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from learndock.errors import InvalidInput, Reason
from learndock.reuse.member import Described, Member

if TYPE_CHECKING:
    from learndock.reuse.reuser import Reuser


class Strategy(StrEnum):
    """How several learnwares become one answer."""

    TOP1 = "TOP1"
    AVERAGE = "AVERAGE"
    JOB_SELECTOR = "JOB_SELECTOR"


def choose(members: Sequence[Described]) -> Strategy:
    """The default: TOP1 for one member, JOB_SELECTOR for several, AVERAGE where their atoms cannot tell rows apart."""
    if len(members) == 1:
        return Strategy.TOP1
    return Strategy.JOB_SELECTOR if all(_has_plain_atoms(member) for member in members) else Strategy.AVERAGE


def check(strategy: Strategy, members: Sequence[Described]) -> None:
    """Raise unless the members can answer together in this way; needs no model to run.

    Raises
    ------
    InvalidInput
        There is no member, or one is for another task or other inputs than the first, or tells nothing about its inputs
        where the strategy needs that (STRATEGY_UNSUITABLE). The error names the member.
    """
    if not members:
        raise InvalidInput(Reason.STRATEGY_UNSUITABLE, "There must be at least one member.", field="members")
    for position, member in enumerate(members):
        difference = _difference(members[0], member)
        if difference:
            raise _unsuitable(position, f"{member.learnware_id} differs from the first member in {difference}.")
        if strategy is Strategy.JOB_SELECTOR and not _has_plain_atoms(member):
            raise _unsuitable(
                position,
                f"JOB_SELECTOR compares rows with specifications; {member.learnware_id} has none in the units of its"
                " input; use AVERAGE.",
            )


def make_reuser(
    strategy: Strategy | None, members: Sequence[Member], *, timeout: float | None = None, seed: int = 0
) -> Reuser:
    """A fitted reuser of 1 or more members.

    Parameters
    ----------
    strategy
        How they answer; None takes the default, see `choose`.
    members
        Who answers, the most important first.
    timeout
        Seconds that each member has for one batch; None for no limit.
    seed
        Of the job selector's trees.

    Raises
    ------
    InvalidInput
        The members do not suit the strategy or each other (STRATEGY_UNSUITABLE).
    """
    from learndock.reuse.average import AverageReuser  # here: callers of the dock name strategies without scikit-learn
    from learndock.reuse.job_selector import JobSelectorReuser
    from learndock.reuse.top1 import Top1Reuser

    strategy = strategy or choose(members)
    check(strategy, members)
    if strategy is Strategy.TOP1:
        return Top1Reuser(members, timeout=timeout).fit()
    if strategy is Strategy.AVERAGE:
        return AverageReuser(members, timeout=timeout).fit()
    return JobSelectorReuser(members, timeout=timeout, seed=seed).fit()


def _has_plain_atoms(member: Described) -> bool:
    return member.specification is not None and not member.specification.encoder


def _difference(first: Described, other: Described) -> str:
    """What keeps two members from answering together; empty when nothing does."""
    a, b = first.semantic, other.semantic
    inputs = (a.input, b.input)
    if a.task != b.task:
        return f"task: {a.task} and {b.task}"
    if a.data != b.data:
        return f"data: {a.data} and {b.data}"
    if inputs[0] and inputs[1] and inputs[0].dimension != inputs[1].dimension:
        return f"input dimension: {inputs[0].dimension} and {inputs[1].dimension}"
    p, q = first.specification, other.specification
    if p and q and (p.encoder, p.dimension) != (q.encoder, q.dimension):
        return f"the space of their specifications: {p.encoder or p.dimension} and {q.encoder or q.dimension}"
    if a.task != "Classification" and a.output and b.output and a.output.dimension != b.output.dimension:
        return f"output dimension: {a.output.dimension} and {b.output.dimension}"
    return ""


def _unsuitable(position: int, message: str) -> InvalidInput:
    return InvalidInput(Reason.STRATEGY_UNSUITABLE, message, field=f"members[{position}]")
