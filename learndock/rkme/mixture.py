"""Mixtures: a few weighted learnwares whose mean embedding comes near a task's.

The problem is to minimise |sum_i w_i mu_i - mu_q|^2 over the simplex with few members. Since weights sum to 1, that is
w'Mw with M_ij = <mu_i - mu_q, mu_j - mu_q>, the Gram matrix of how candidates differ from the task. The best weights of
a set, of any sign, are M^-1 1 but for their sum, and the distance is 1 / 1'M^-1 1. What a member more or less changes
in that is told by the inverse, so many sets are compared at once.
"""

from __future__ import annotations

from dataclasses import dataclass
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
# Sets that are kept after one member was exchanged, so that with a second exchange they may be the nearest.
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
    """Candidates, ascending, with the distance of their best mixture."""

    members: tuple[int, ...]
    mmd2: float


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
    return _mixture(differences, regular, np.array(found.members))


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
        fewer = _pruned(regular, np.array(found.members), len(found.members) - 1)
        if fewer.mmd2 > allowed:
            break
        found = fewer
    return _mixture(differences, regular, np.array(found.members))


def runner_up(differences: Matrix, members: Indices) -> int | None:
    """The candidate that best stands in for two members of a mixture, or for one of two; None where there is no other.

    Where the members were chosen by approximate products, it is the first to look at exactly.
    """
    if len(members) == len(differences):
        return None
    regular = _regular(differences)
    left = max(1, len(members) - 2)
    fewer = np.array([sorted(some) for some in combinations(members.tolist(), left)], dtype=np.int64)
    nearest = _joined(regular, fewer, 0.0).min(axis=0)
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
                return _Set(tuple(sorted(members.tolist())), 1.0 / total)
            leaving = int((raw * raw / inverse.diagonal()).argmin())
        members = np.delete(members, leaving)


def _extended(regular: Matrix, found: _Set, max_members: int) -> _Set:
    """The set with more members, while there is room and that helps."""
    while len(found.members) < min(max_members, len(regular)):
        joined = _best_joined(regular, np.array([found.members]), 1)
        if not joined or joined[0].mmd2 > _BETTER * found.mmd2:
            break
        found = joined[0]
    return found


def _exchanged(regular: Matrix, found: _Set) -> _Set:
    """The set with one or two members exchanged, if that is nearer.

    Between the two exchanges a member may weigh less than `MIN_WEIGHT`.
    """
    if len(found.members) == len(regular):
        return found
    sets = [found]
    for count, least in ((_WIDTH, 0.0), (1, MIN_WEIGHT)):
        members = [one.members for one in sets]
        fewer = sorted({one[:place] + one[place + 1 :] for one in members for place in range(len(one))})
        sets = _best_joined(regular, np.array(fewer, dtype=np.int64).reshape(len(fewer), -1), count, least) or [found]
    return sets[0] if sets[0].mmd2 < _BETTER * found.mmd2 else found


def _best_joined(regular: Matrix, sets: Indices, count: int, least: float = MIN_WEIGHT) -> list[_Set]:
    """Of the sets [n, m] with one more candidate each, those of the nearest mixtures, nearest first."""
    values = _joined(regular, sets, least).ravel()
    some = min(len(values), count + len(sets))  # what is in all of the sets with one more comes once from each
    places = np.argpartition(values, some - 1)[:some]
    places = places[np.argsort(values[places], kind="stable")]
    found: dict[tuple[int, ...], float] = {}
    for place, value in zip(places.tolist(), values[places].tolist(), strict=True):
        if value == np.inf or len(found) == count:
            break
        row, joining = divmod(place, len(regular))
        found.setdefault(tuple(sorted((*sets[row].tolist(), joining))), value)
    return [_Set(members, value) for members, value in found.items()]


def _joined(regular: Matrix, sets: Indices, least: float) -> Matrix:
    """Distances of the best mixtures of each set [n, m] and each candidate as one more member, float64 [n, C].

    Infinite where somebody would weigh no more than `least`, and for members. With the inverse of a set's matrix,
    that of one more member is known by its Schur complement.
    """
    inverse, across, norms = np.linalg.inv(_among(regular, sets)), regular[sets], regular.diagonal()
    answers = inverse @ across
    lacking = 1.0 - answers.sum(axis=1)
    left = norms - np.einsum("nmc,nmc->nc", across, answers)
    left[np.arange(len(sets))[:, None], sets] = np.inf
    joining = lacking / np.maximum(left, _JITTER * norms)
    own = inverse.sum(axis=2)
    staying = (own[:, :, None] - answers * joining[:, None, :]).min(axis=1, initial=np.inf)
    total = own.sum(axis=1)[:, None] + lacking * joining
    return np.where(np.minimum(staying, joining) > least * total, 1.0 / total, np.inf)


def _among(matrix: Matrix, members: Indices) -> Matrix:
    """The matrices of sets [..., m], float64 [..., m, m]."""
    return matrix[members[..., :, None], members[..., None, :]]
