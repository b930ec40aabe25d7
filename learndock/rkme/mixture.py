"""Mixtures: a few weighted learnwares whose mean embedding comes near a task's.

The problem is to minimise |sum_i w_i mu_i - mu_q|^2 = w'Gw - 2c'w + |mu_q|^2 over the simplex with few members, G being
the candidates' Gram matrix and c their inner products with the task. Good mixtures are not made of good singles, so
candidates are found by what the mixture so far lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.simplex import simplex_weights

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MIN_WEIGHT = 0.02
PARSIMONY = 1.08
_TOLERANCE = 1e-7
# Duality gap that is small enough to tell in which direction something lacks, and what is worth an exact look.
ROUGH = 5e-4
_ITERATIONS = 1000
# Outsiders tried in place of each member, and the share of MMD2 that an exchange must save.
_ENTERING = 3
_PAYS = 1e-3


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
    gap
        Duality gap over the candidates: no convex mixture of them is nearer than `mmd2 - gap`.
    """

    members: NDArray[np.int64]
    weights: Vector
    mmd2: float
    gap: float


def pairwise_frank_wolfe(gram: Matrix, target: Vector, *, tolerance: float = _TOLERANCE) -> Vector:
    """Minimiser of w'Gw - 2c'w over the simplex, sparse, to a duality gap of `tolerance`; O(C) an iteration.

    Parameters
    ----------
    gram
        G, symmetric positive semi-definite, [C, C].
    target
        c, [C].
    tolerance
        Duality gap to reach.

    Notes
    -----
    Each step moves weight from the worst member to the best candidate, as far as pays. Source: Lacoste-Julien and
    Jaggi, On the global linear convergence of Frank-Wolfe optimization variants, NIPS 28 (2015).
    """
    weights = np.zeros(len(target))
    start = int(np.argmin(np.diag(gram) - 2.0 * target))
    weights[start] = 1.0
    image = gram[:, start].astype(np.float64)  # Gw
    for _ in range(_ITERATIONS):
        gradient = image - target
        best = int(np.argmin(gradient))
        worst = int(np.argmax(np.where(weights > 0, gradient, -np.inf)))
        if gradient @ weights - gradient[best] <= tolerance / 2:
            break
        curvature = gram[best, best] - 2.0 * gram[best, worst] + gram[worst, worst]
        descent = gradient[worst] - gradient[best]
        step = weights[worst] if curvature <= 0 else min(weights[worst], descent / curvature)
        weights[worst] = 0.0 if step == weights[worst] else weights[worst] - step
        weights[best] += step
        image += step * (gram[:, best] - gram[:, worst])
    return np.asarray(weights / weights.sum())


def duality_gap(gram: Matrix, target: Vector, weights: Vector) -> float:
    """How much lower than at `weights` the objective w'Gw - 2c'w can be on the simplex at most, >= 0."""
    gradient = 2.0 * (gram @ weights - target)
    return float(max(0.0, gradient @ weights - gradient.min()))


def residual(embeddings: Matrix, target: Vector) -> Vector:
    """What the best mixture of embeddings [C, D] lacks of the target [D]; what lies along it should be added."""
    weights = pairwise_frank_wolfe(embeddings @ embeddings.T, embeddings @ target, tolerance=ROUGH)
    return np.asarray(target - weights @ embeddings)


def heaviest(weights: Vector, count: int) -> NDArray[np.int64]:
    """Indices of the `count` heaviest positive weights, heaviest first, ties by index."""
    order = np.argsort(-weights, kind="stable")[:count]
    return np.asarray(order[weights[order] > 0])


def forward_members(gram: Matrix, target: Vector, count: int) -> list[NDArray[np.int64]]:
    """Ever larger mixtures: the best pair of all, then each time the candidate that promises most.

    Parameters
    ----------
    gram
        G, [C, C].
    target
        c, [C].
    count
        Most members.

    Returns
    -------
    list
        Sets of 2, 3, ... members as indices; empty when there is only one candidate.
    """
    most = min(count, len(target))
    if most < 2:
        return []
    members = _best_pair(gram, target)
    path = [members]
    while len(members) < most:
        weights = simplex_weights(gram[np.ix_(members, members)], target[members])
        gradient = gram[:, members] @ weights - target
        gradient[members] = np.inf
        members = np.append(members, np.argmin(gradient))
        path.append(members)
    return path


def _best_pair(gram: Matrix, target: Vector) -> NDArray[np.int64]:
    """The two whose best mixture is nearest; every pair has a closed form. O(C^2)."""
    norms = np.diag(gram)
    curvature = norms[:, None] + norms[None, :] - 2.0 * gram
    slope = norms[None, :] - gram + target[:, None] - target[None, :]
    share = np.clip(slope / np.maximum(curvature, np.finfo(float).tiny), 0.0, 1.0)  # of the row's candidate
    value = norms[None, :] - 2.0 * target[None, :] + share * (share * curvature - 2.0 * slope)
    np.fill_diagonal(value, np.inf)
    return np.array(np.unravel_index(np.argmin(value), value.shape), dtype=np.int64)


def _backward_members(gram: Matrix, target: Vector) -> list[NDArray[np.int64]]:
    """Ever smaller mixtures: the best of all candidates, then each time without its lightest member."""
    members = np.arange(len(target))
    path = []
    while len(members) > 1:
        weights = simplex_weights(gram[np.ix_(members, members)], target[members])
        members = members[
            np.sort(np.argsort(-weights, kind="stable")[: min(len(members) - 1, max(1, np.count_nonzero(weights)))])
        ]
        path.append(members)
    return path


def sparse_mixture(gram: Matrix, target: Vector, target_norm: float, *, max_members: int) -> MixtureWeights:
    """A convex mixture of few candidates that is nearly as near as the best of so many.

    Mixtures of each size are sought forwards, from the best pair, and backwards, from all candidates; in the best of
    these, members are exchanged while that pays. The fewest
    members are taken whose MMD2 is at most `PARSIMONY` times the best found: fewer are easier to tell apart in reuse.

    Parameters
    ----------
    gram
        Exact Gram matrix of the candidates, [C, C].
    target
        Their exact inner products with the task, [C].
    target_norm
        |mu_q|^2.
    max_members
        Most members, at least 1.
    """
    singles = [np.array([index]) for index in range(len(target))]
    paths = [*forward_members(gram, target, max_members), *_backward_members(gram, target)]
    found = [
        _mixture(gram, target, target_norm, members) for members in (*singles, *paths) if len(members) <= max_members
    ]
    found = [mixture for mixture in found if mixture.weights[-1] >= MIN_WEIGHT]
    found.append(_exchanged(gram, target, target_norm, min(found, key=lambda mixture: mixture.mmd2)))
    best = min(mixture.mmd2 for mixture in found)
    near = [mixture for mixture in found if mixture.mmd2 <= PARSIMONY * best]
    return min(near, key=lambda mixture: (len(mixture.members), mixture.mmd2))


def _exchanged(gram: Matrix, target: Vector, target_norm: float, mixture: MixtureWeights) -> MixtureWeights:
    """A mixture no farther than the given one, after exchanging one member at a time for what its rest lacks most."""
    while len(mixture.members) > 1:
        tried = [_mixture(gram, target, target_norm, members) for members in _neighbours(gram, target, mixture.members)]
        better = [one for one in tried if one.weights[-1] >= MIN_WEIGHT and one.mmd2 < (1.0 - _PAYS) * mixture.mmd2]
        if not better:
            break
        mixture = min(better, key=lambda one: one.mmd2)
    return mixture


def _neighbours(gram: Matrix, target: Vector, members: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each member, the others and the few outsiders that most improve on their mixture."""
    found = []
    for leaving in range(len(members)):
        rest = np.delete(members, leaving)
        gradient = gram[:, rest] @ simplex_weights(gram[np.ix_(rest, rest)], target[rest]) - target
        gradient[members] = np.inf
        entering = np.argsort(gradient, kind="stable")[: min(_ENTERING, len(target) - len(members))]
        found += [np.append(rest, one) for one in entering]
    return found


def _mixture(gram: Matrix, target: Vector, target_norm: float, members: NDArray[np.int64]) -> MixtureWeights:
    weights = simplex_weights(gram[np.ix_(members, members)], target[members])
    order = np.argsort(-weights, kind="stable")
    members, weights = members[order], weights[order]
    spread = np.zeros(len(target))
    spread[members] = weights
    value = float(spread @ gram @ spread - 2.0 * target @ spread + target_norm)
    return MixtureWeights(members, weights, max(0.0, value), duality_gap(gram, target, spread))
