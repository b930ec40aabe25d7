"""Which member is likely to know a row, learnt from the members' atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from learndock.errors import InvalidInput, Reason
from learndock.reuse.encoding import vectors
from learndock.reuse.member import Inputs, Member, shares
from learndock.rkme.specification import Specification

_TREES = 200
_LEAST_LEAF = 2
_NEIGHBOURS = 3
# Weights are rounded to so many decimals: their last digits are lost when shares are sent or saved and made to sum to 1
# again, and by these a tree may prefer one of two splits that are as good, so that the same reuser answers differently.
_DECIMALS = 9
# A member this much less likely than the likeliest one counts for nothing: a model may say anything of rows that it
# does not know, and trees are never quite sure.
_LEAST_LIKELY = 0.1


@dataclass(frozen=True, eq=False)
class Router:
    """The likelihood that each of m members knows a row.

    The mean of two classifiers that tell from which member an atom is: trees on the weighted atoms (atom k of member i
    weighs w_i beta_k), which do not care for the units of a column, and the nearest atoms in standardised columns,
    which see what no single column shows. Images of several owners need the second, tables of air quality the first;
    together they were within 0.003 of the better one where that was measured (digits .966, alone .968 and .969).

    Attributes
    ----------
    trees
        Classifier on raw columns.
    neighbours
        Classifier on standardised columns.
    space
        Specification of the first member, in whose space rows are compared.
    """

    trees: ExtraTreesClassifier
    neighbours: Pipeline
    space: Specification

    @classmethod
    def fit(cls, members: Sequence[Member], *, seed: int) -> Router:
        """Router between members; O(m K log(m K) d) for m members of K atoms in d dimensions.

        Raises
        ------
        InvalidInput
            A member has no specification, or two are of different spaces (STRATEGY_UNSUITABLE).
        """
        space, atoms, owners, weights = _labelled_atoms(members)
        trees = ExtraTreesClassifier(_TREES, min_samples_leaf=_LEAST_LEAF, random_state=seed)
        neighbours = make_pipeline(
            StandardScaler(), KNeighborsClassifier(min(_NEIGHBOURS, len(atoms)), weights="distance")
        )
        return cls(trees.fit(atoms, owners, sample_weight=weights), neighbours.fit(atoms, owners), space)

    def vectors(self, X: Inputs) -> NDArray[np.float64]:
        """Rows in the space that they are compared in, see `encoding.vectors`."""
        return vectors(X, self.space)

    def shares(self, rows: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How much each member counts for rows [n, d], float64 [n, m], 0 for those not present, each row summing to 1.

        The likelihood that the row is the member's: of squared loss, and of class probabilities, the mean by it is the
        best answer where one member knows and one cannot be sure which. Those less than a tenth as likely as the
        likeliest count for nothing.
        """
        likelihood = np.where(present, self._probabilities(rows), 0.0)
        greatest = likelihood.max(axis=1, keepdims=True)
        # Where none that is present is likely at all, all are as good.
        likelihood = np.where(greatest > 0, likelihood, present)
        kept = np.where(likelihood >= _LEAST_LIKELY * greatest, likelihood, 0.0)
        return np.asarray(kept / kept.sum(axis=1, keepdims=True))

    def _probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((self.trees.predict_proba(rows) + self.neighbours.predict_proba(rows)) / 2)


def _labelled_atoms(
    members: Sequence[Member],
) -> tuple[Specification, NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """First specification, atoms of all [a, d], the position of each atom's member [a], weights that average 1 [a]."""
    known = [member.specification for member in members if member.specification is not None]
    spaces = {(one.dimension, one.encoder, one.encoder_revision) for one in known}
    if len(known) < len(members) or len(spaces) > 1:
        raise InvalidInput(
            Reason.STRATEGY_UNSUITABLE, "Every member needs a specification, all of one space.", field="members"
        )
    atoms = np.concatenate([specification.atoms for specification in known]).astype(np.float64)
    counts = [specification.atom_count for specification in known]
    weights = np.concatenate(
        [share * specification.weights for share, specification in zip(shares(members), known, strict=True)]
    )
    return known[0], atoms, np.repeat(np.arange(len(members)), counts), np.round(weights * len(weights), _DECIMALS)
