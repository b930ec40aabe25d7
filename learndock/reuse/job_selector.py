"""JOB_SELECTOR: every row to the member whose training inputs are most like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.reuse.assembly import Part, assemble, fitting
from learndock.reuse.member import Inputs, Member
from learndock.reuse.prediction import Faults, Prediction, Question, ask, in_order, no_member_left
from learndock.reuse.reuser import Reuser
from learndock.reuse.routing import Router


class JobSelectorReuser(Reuser):
    """Rows go to the member most likely to know them; the outputs are put together again in the rows' order.

    A member that fails hands its rows to the next likely one.

    Parameters
    ----------
    members
        1 or more, each with a specification in the units of its input.
    timeout
        Seconds that each member has for one batch; None for no limit.
    seed
        Of the router's trees.
    """

    def __init__(self, members: Sequence[Member], *, timeout: float | None = None, seed: int = 0) -> None:
        super().__init__(members, timeout=timeout)
        self.seed = seed

    def fit(self, X: Inputs | None = None, y: object = None) -> JobSelectorReuser:
        """Learn from the members' atoms which rows are whose. Needs neither rows nor labels."""
        super().fit(X, y)
        self.router_ = Router.fit(self.members, seed=self.seed)
        return self

    def answer(self, X: Inputs, *, timeout: float | None = None) -> Prediction:  # noqa: D102
        seconds = self.timeout if timeout is None else timeout
        rows = _numbers(X)
        order = self.router_.order(rows.reshape(len(rows), -1))
        parts: list[Part] = []
        faults: Faults = {}
        waiting = np.arange(len(rows))
        while len(waiting):
            if len(faults) == len(self.members):
                raise no_member_left(faults)
            owners = _first_alive(order[waiting], faults)
            portions = {int(owner): waiting[owners == owner] for owner in np.unique(owners)}
            parts += self._ask(rows, portions, parts, faults, seconds)
            waiting = np.concatenate([portions[owner] for owner in portions if owner in faults] or [waiting[:0]])
        outputs, kind = assemble(parts, self.class_set_, len(rows))
        return Prediction(outputs, kind, _index(parts, len(rows)), in_order(faults))

    def _ask(
        self,
        rows: NDArray[np.generic],
        portions: dict[int, NDArray[np.intp]],
        parts: Sequence[Part],
        faults: Faults,
        seconds: float | None,
    ) -> list[Part]:
        """Ask members for their portions of the rows; adds to `faults` those that failed."""
        questions = [Question(owner, self.members[owner], rows[portion]) for owner, portion in portions.items()]
        answers, failed = ask(questions, seconds)
        faults.update(failed)
        if answers:
            answers, strays = fitting(answers, parts[0].answer if parts else answers[0], self.members)
            faults.update(strays)
        return [Part(portions[answer.position], answer) for answer in answers]


def _numbers(X: Inputs) -> NDArray[np.generic]:
    rows = np.asarray(X)
    if rows.ndim < 2 or not len(rows) or not np.issubdtype(rows.dtype, np.number):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Rows must be numbers [n, ...] with n >= 1, not {rows.dtype} {rows.shape}.",
            field="rows",
        )
    return rows


def _first_alive(order: NDArray[np.intp], faults: Faults) -> NDArray[np.intp]:
    """Of each row's members, likeliest first [n, m], the first that has not failed, [n]."""
    alive = np.array([position not in faults for position in range(order.shape[1])])
    return np.asarray(np.take_along_axis(order, alive[order].argmax(axis=1)[:, None], axis=1)[:, 0])


def _index(parts: Sequence[Part], row_count: int) -> NDArray[np.int32]:
    index = np.zeros(row_count, dtype=np.int32)
    for part in parts:
        index[part.rows] = part.answer.position
    return index
