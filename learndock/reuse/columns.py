"""Members whose inputs are the same columns in another order, told by what the columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace
from learndock.reuse.member import Inputs, Member, Predictor
from learndock.reuse.outputs import names_of


@dataclass(frozen=True, eq=False)
class Rearranged:
    """A model that is given its own order of columns.

    Attributes
    ----------
    model
        The model.
    order
        For each of the model's columns, where it stands in the rows that come, intp [d].
    """

    model: Predictor
    order: NDArray[np.intp]

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        """See `Predictor`."""
        return self.model.predict(np.asarray(X)[:, self.order])


def aligned(members: Sequence[Member]) -> Sequence[Member]:
    """Members that all take the first one's order of columns.

    Columns are told apart by their descriptions, so only members that describe every column, each in its own words,
    are rearranged; the others are taken to have the first one's order.
    """
    wanted = names_of(members[0].semantic.input)
    return [_aligned(member, wanted) for member in members]


def _aligned(member: Member, wanted: Sequence[str]) -> Member:
    own = names_of(member.semantic.input)
    if own == wanted or not wanted or sorted(own) != sorted(wanted):
        return member
    order = np.array([wanted.index(name) for name in own], dtype=np.intp)
    specification = member.specification
    if specification is not None and not specification.encoder and specification.dimension == len(order):
        back = np.argsort(order)
        specification = replace(specification, atoms=specification.atoms[:, back], input=_input(member, back))
    return replace(member, model=Rearranged(member.model, order), specification=specification)


def _input(member: Member, back: NDArray[np.intp]) -> FeatureSpace | None:
    """What the columns mean once they stand in the order `back`."""
    space = member.semantic.input
    if space is None:
        return None
    return FeatureSpace(space.dimension, {i: space.descriptions[int(column)] for i, column in enumerate(back)})
