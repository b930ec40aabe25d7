"""JOB_SELECTOR: every row to the members whose training inputs are most like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput
from learndock.reuse.gathering import gather
from learndock.reuse.member import Inputs, Member, shares
from learndock.reuse.prediction import SEVERAL, Prediction, in_order
from learndock.reuse.reuser import Reuser
from learndock.reuse.routing import Router


class JobSelectorReuser(Reuser):
    """The mean of the members' outputs, each row weighted by how likely it is whose; see `routing.Router.shares`.

    Members that give labels only vote. One that fails is left out, and the others share its rows. Where the members'
    specifications are of an encoder, rows are compared in its space; those that it cannot read, such as images that
    the models want as flat rows, are answered by the mean of all.

    Parameters
    ----------
    members
        1 or more, each with a specification that rows can be compared with, see `encoding.comparable`.
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

    def _answer(self, X: Inputs, timeout: float | None) -> Prediction:
        rows = self._vectors(X)
        outputs, faults = gather(self.members, self.class_set_, X, timeout)
        if rows is None:
            each = np.tile(outputs.weights(shares(self.members)), (len(X), 1))
        else:
            each = self.router_.shares(rows, outputs.present)
        return Prediction(
            outputs=outputs.as_given(outputs.blended(each)),
            kind=outputs.kind,
            member_index=_index(each),
            faults=in_order(faults),
        )

    def _vectors(self, X: Inputs) -> NDArray[np.float64] | None:
        try:
            return self.router_.vectors(X)
        except InvalidInput:
            if not self.router_.space.encoder:
                raise
            return None


def _index(shares: NDArray[np.float64]) -> NDArray[np.int32]:
    greatest = shares.argmax(axis=1)
    return np.where(shares.max(axis=1) > 0.5, greatest, SEVERAL).astype(np.int32)
