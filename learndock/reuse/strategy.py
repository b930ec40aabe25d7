"""Which strategy suits which members."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from learndock.errors import InvalidInput, Reason
from learndock.reuse.columns import aligned
from learndock.reuse.encoding import comparable
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Described, Member

if TYPE_CHECKING:
    from learndock.reuse.reuser import Reuser
    from learndock.rkme.specification import Specification


class Strategy(StrEnum):
    """How several learnwares become one answer."""

    TOP1 = "TOP1"
    AVERAGE = "AVERAGE"
    JOB_SELECTOR = "JOB_SELECTOR"
    ENSEMBLE_PRUNING = "ENSEMBLE_PRUNING"
    FEATURE_AUGMENT = "FEATURE_AUGMENT"
    STACKING = "STACKING"
    AUTO = "AUTO"
    HETERO_ALIGN = "HETERO_ALIGN"

    @property
    def needs_labels(self) -> bool:
        """Whether it is fitted on labelled rows."""
        return self not in (Strategy.TOP1, Strategy.AVERAGE, Strategy.JOB_SELECTOR)


def choose(members: Sequence[Described], *, labelled: bool = False) -> Strategy:
    """The default: AUTO with labels; else TOP1 for one member, JOB_SELECTOR for several.

    AVERAGE where rows cannot be compared with the members' specifications here.
    """
    if labelled:
        return Strategy.AUTO
    if len(members) == 1:
        return Strategy.TOP1
    return Strategy.JOB_SELECTOR if all(comparable(member.specification) for member in members) else Strategy.AVERAGE


def check(strategy: Strategy, members: Sequence[Described], *, labelled: bool = False) -> None:
    """Raise unless the members can answer together in this way; needs no model to run.

    Raises
    ------
    InvalidInput
        The strategy needs labelled rows and there are none; or there is no member, or one is for another task or
        other inputs than the first, or tells nothing about its inputs where the strategy needs that
        (STRATEGY_UNSUITABLE). The error names the field.
    """
    if not members:
        raise InvalidInput(Reason.STRATEGY_UNSUITABLE, "There must be at least one member.", field="members")
    if strategy.needs_labels and not labelled:
        raise InvalidInput(
            Reason.STRATEGY_UNSUITABLE, f"{strategy} learns from labelled rows; give some.", field="labelled"
        )
    for position, member in enumerate(members):
        difference = _difference(members[0], member)
        if difference:
            raise _unsuitable(position, f"{member.learnware_id} differs from the first member in {difference}.")
        if strategy is Strategy.JOB_SELECTOR and not comparable(member.specification):
            raise _unsuitable(
                position,
                f"JOB_SELECTOR compares rows with specifications; {member.learnware_id} has none in the units of its"
                " input, or of an encoder that is installed here; use AVERAGE.",
            )


def make_reuser(
    strategy: Strategy | None,
    members: Sequence[Member],
    *,
    labelled: Labelled | None = None,
    presumed: Strategy | None = None,
    timeout: float | None = None,
    seed: int = 0,
) -> Reuser:
    """A fitted reuser of 1 or more members.

    Parameters
    ----------
    strategy
        How they answer; None takes the default, see `choose`.
    members
        Who answers, the most important first. Their inputs are those of the first member, see `columns.aligned`.
    labelled
        Rows to fit on, where the strategy learns from them.
    presumed
        How they would answer without labels, which AUTO believes in while these are few; None for AVERAGE.
    timeout
        Seconds that each member has for one batch; None for no limit.
    seed
        Of the job selector's trees.

    Raises
    ------
    InvalidInput
        The members or the labels do not suit the strategy or each other (STRATEGY_UNSUITABLE, SHAPE_MISMATCH).
    Unavailable
        No member could answer the labelled rows (NO_MEMBER_LEFT).
    """
    from learndock.reuse.auto import AutoReuser
    from learndock.reuse.catalogue import ESTIMATORS  # here: callers of the dock name strategies without scikit-learn
    from learndock.reuse.job_selector import JobSelectorReuser

    strategy = strategy or choose(members, labelled=labelled is not None)
    check(strategy, members, labelled=labelled is not None)
    members = aligned(members)
    if strategy is Strategy.JOB_SELECTOR:
        return JobSelectorReuser(members, timeout=timeout, seed=seed).fit()
    if strategy is Strategy.AUTO:
        reuser: Reuser = AutoReuser(members, timeout=timeout, presumed=presumed or Strategy.AVERAGE)
    else:
        reuser = ESTIMATORS[strategy](members, timeout=timeout)
    return reuser.fit(labelled.inputs, labelled.truth) if strategy.needs_labels and labelled else reuser.fit()


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
    if p and q and _space(p) != _space(q):
        return f"the space of their specifications: {p.encoder or p.dimension} and {q.encoder or q.dimension}"
    if a.task != "Classification" and a.output and b.output and a.output.dimension != b.output.dimension:
        return f"output dimension: {a.output.dimension} and {b.output.dimension}"
    return ""


def _space(specification: Specification) -> tuple[str, str, int]:
    return specification.encoder, specification.encoder_revision, specification.dimension


def _unsuitable(position: int, message: str) -> InvalidInput:
    return InvalidInput(Reason.STRATEGY_UNSUITABLE, message, field=f"members[{position}]")
