"""Mixtures: a few weighted learnwares whose mean embedding comes near a task's.

The problem is to minimise |sum_i w_i mu_i - mu_q|^2 over the simplex with few members. Since weights sum to 1, that is
w'Mw with M_ij = <mu_i - mu_q, mu_j - mu_q>, the Gram matrix of how candidates differ from the task. The best weights of
a set, of any sign, are M^-1 1 but for their sum, and the distance is 1 / 1'M^-1 1. What a member more or less changes
in that is told by the inverse, so many sets are compared at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.simplex import simplex_weights

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Indices = NDArray[np.int64]

MIN_WEIGHT = 0.02
PARSIMONY = 1.08
# Sets with one member exchanged that a second exchange is tried on.
_WIDTH = 5
# What the distance must fall to for another set to take the place of one.
_BETTER = 0.999
# Added to a unit diagonal, so that equal candidates can be told apart.
_JITTER = 1e-9
_TINY = 1e-30
# A distance that is none, but for what that adds.
_NOTHING = 1e-8


@dataclass(frozen=True, eq=False)
class MixtureWeights:
    """A sparse mixture of candidates.

    Attributes
    ----------
    members
        Indices into the candidates, heaviest first, int64 [m].
    weights
        Their shares, each at least `MIN_WEIGHT`, summing to 1, float64 [m].
    mmd2
        |sum w mu - mu_q|^2, >= 0.
    """

    members: Indices
    weights: Vector
    mmd2: float


class _Set(NamedTuple):
    """Candidates, with the distance of their best mixture."""

    members: Indices
    mmd2: float


class _Joined(NamedTuple):
    """The best mixtures of sets and one more candidate each.

    Attributes
    ----------
    mmd2
        Their distances, float64 [n, C].
    lightest
        What the lightest member weighs, negative where a mixture would be none; minus infinity for those that are
        members already, float64 [n, C].
    """

    mmd2: Matrix
    lightest: Matrix

    def where_all_weigh(self, least: float) -> Matrix:
        """The distances, infinite where somebody would weigh no more than `least`, float64 [n, C]."""
        return np.where(self.lightest > least, self.mmd2, np.inf)


def differences_of(gram: Matrix, target: Vector, target_norm: float) -> Matrix:
    """M of candidates with Gram matrix G [C, C], inner products c [C] with the task, and |mu_q|^2; float64 [C, C]."""
    return np.asarray(gram - target - target[:, None] + target_norm)


def nearest_mixture(differences: Matrix) -> Vector:
    """Weights of the nearest mixture of all candidates, however many its members, float64 [C]; O(C^3)."""
    return simplex_weights(differences, np.zeros(len(differences)))


def duality_gap(differences: Matrix, mixture: MixtureWeights) -> float:
    """How much nearer than this mixture another one of the candidates can be at most, >= 0."""
    gradient = 2.0 * (mixture.weights @ differences[mixture.members])
    return float(max(0.0, gradient[mixture.members] @ mixture.weights - gradient.min()))


def sparse_mixture(differences: Matrix, begun: Indices, *, max_members: int) -> MixtureWeights:
    """A mixture of few candidates that is nearly as near as the best of so many.

    Others join while there is room, and then one or two members are exchanged where that helps.

    Parameters
    ----------
    differences
        M of the candidates, [C, C].
    begun
        Members to begin with, at least one; those are left out first that are missed least.
    max_members
        Most members, at least 1.
    """
    regular = _regular(differences)
    found = _pruned(regular, begun, max_members)
    found = _exchanged(regular, _extended(regular, found, max_members))
    return _mixture(differences, regular, found.members)


def pruned_mixture(differences: Matrix, *, max_members: int, parsimony: float) -> MixtureWeights:
    """What is left of the mixture of all candidates, those leaving first that are missed least.

    Parameters
    ----------
    differences
        M of the candidates, [C, C].
    max_members
        Most members, at least 1.
    parsimony
        What fewer members may cost, at least 1: they are easier to tell apart in reuse.
    """
    regular = _regular(differences)
    found = _pruned(regular, np.arange(len(differences)), max_members)
    allowed = parsimony * found.mmd2 + _NOTHING
    while len(found.members) > 1:
        fewer = _pruned(regular, found.members, len(found.members) - 1)
        if fewer.mmd2 > allowed:
            break
        found = fewer
    return _mixture(differences, regular, found.members)


def runner_up(differences: Matrix, members: Indices) -> int | None:
    """The candidate that best stands in for two members of a mixture, or for one of two; None where there is no other.

    Where the members were chosen by approximate products, it is the first to look at exactly.
    """
    if len(members) == len(differences):
        return None
    regular = _regular(differences)
    left = max(1, len(members) - 2)
    fewer = members[_choices(len(members), left)]
    nearest = _joined(regular, fewer).where_all_weigh(0.0).min(axis=0)
    nearest[members] = np.inf
    return int(nearest.argmin())


def _regular(differences: Matrix) -> Matrix:
    regular = differences.copy()
    np.fill_diagonal(regular, (1.0 + _JITTER) * differences.diagonal() + _TINY)
    return regular


def _mixture(differences: Matrix, regular: Matrix, members: Indices) -> MixtureWeights:
    """The best mixture of given members."""
    raw = np.linalg.inv(_among(regular, members)).sum(axis=1)
    order = np.argsort(-raw, kind="stable")
    members, weights = members[order], raw[order] / raw.sum()
    return MixtureWeights(members, weights, max(0.0, float(weights @ _among(differences, members) @ weights)))


def _pruned(regular: Matrix, members: Indices, max_members: int) -> _Set:
    """Those that are left when the most dispensable member goes, one after the other.

    Who weighs less than `MIN_WEIGHT` goes first; then, while they are too many, the one whom the others miss least.
    """
    while True:
        inverse = np.linalg.inv(_among(regular, members))
        raw = inverse.sum(axis=1)
        total, leaving = float(raw.sum()), int(raw.argmin())
        if len(members) == 1 or raw[leaving] >= MIN_WEIGHT * total:
            if len(members) <= max_members:
                return _Set(members, 1.0 / total)
            leaving = int((raw * raw / inverse.diagonal()).argmin())
        members = members[np.arange(len(members)) != leaving]


def _extended(regular: Matrix, found: _Set, max_members: int) -> _Set:
    """The set with more members, while there is room and that helps."""
    while len(found.members) < min(max_members, len(regular)):
        sets = found.members[None, :]
        more = _nearest(sets, _joined(regular, sets))
        if more.mmd2 > _BETTER * found.mmd2:
            break
        found = more
    return found


def _exchanged(regular: Matrix, found: _Set) -> _Set:
    """The set with one or two members exchanged, if that is nearer.

    Between the two exchanges a member may weigh less than `MIN_WEIGHT`.
    """
    count = len(found.members)
    if count == len(regular):
        return found
    fewer = _choices(count, count - 1)
    once = found.members[fewer]
    joined = _joined(regular, once)
    begun = _begun(once, joined, found.members)
    # Who joined stays: without it, these would be single exchanges again.
    twice = begun[:, fewer[:-1]].reshape(len(begun) * (count - 1), count - 1)
    best = min(_nearest(once, joined), _nearest(twice, _joined(regular, twice)), key=lambda one: one.mmd2)
    return best if best.mmd2 < _BETTER * found.mmd2 else found


def _begun(sets: Indices, joined: _Joined, members: Indices) -> Indices:
    """The nearest few of the sets with one more candidate who is none of these members, and comes first, [k, m + 1]."""
    distances = joined.where_all_weigh(0.0)
    distances[:, members] = np.inf
    places = np.argpartition(distances, min(_WIDTH, distances.size) - 1, axis=None)[:_WIDTH]
    rows, joining = np.divmod(places[distances.ravel()[places] < np.inf], distances.shape[1])
    return np.concatenate([joining[:, None], sets[rows]], axis=1)


def _nearest(sets: Indices, joined: _Joined) -> _Set:
    """The nearest of the sets [n, m] with one more candidate each; infinitely far where there is none."""
    distances = joined.where_all_weigh(MIN_WEIGHT)
    if not distances.size:
        return _Set(np.zeros(0, dtype=np.int64), np.inf)
    row, joining = divmod(int(distances.argmin()), distances.shape[1])
    return _Set(np.append(sets[row], joining), float(distances[row, joining]))


def _joined(regular: Matrix, sets: Indices) -> _Joined:
    """The best mixtures of each set [n, m] and each candidate as one more member.

    With the inverse of a set's matrix, that of one more member is known by its Schur complement.
    """
    inverse, across, norms = np.linalg.inv(_among(regular, sets)), regular.take(sets, axis=0), regular.diagonal()
    answers = inverse @ across
    lacking = 1.0 - answers.sum(axis=1)
    left = norms - np.einsum("nmc,nmc->nc", across, answers)
    joining = lacking / np.maximum(left, _JITTER * norms)
    own = inverse.sum(axis=2)
    staying = (own[:, :, None] - answers * joining[:, None, :]).min(axis=1, initial=np.inf)
    total = own.sum(axis=1)[:, None] + lacking * joining
    lightest = np.minimum(staying, joining) / total
    lightest[np.arange(len(sets))[:, None], sets] = -np.inf
    return _Joined(1.0 / total, lightest)


@lru_cache(maxsize=64)
def _choices(count: int, some: int) -> Indices:
    """All ways to choose some of so many places, int64 [n, some]; the one without the first place comes last."""
    chosen = np.array(list(combinations(range(count), some)), dtype=np.int64)
    chosen.setflags(write=False)
    return chosen


def _among(matrix: Matrix, members: Indices) -> Matrix:
    """The matrices of sets [..., m], float64 [..., m, m]."""
    return matrix[members[..., :, None], members[..., None, :]]
