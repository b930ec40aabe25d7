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
_ROUNDS = 3
_TOLERANCE = 1e-9
_ITERATIONS = 1000


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


def pairwise_frank_wolfe(gram: Matrix, target: Vector) -> Vector:
    """Minimiser of w'Gw - 2c'w over the simplex, sparse, to a duality gap of 1e-9; O(C) an iteration.

    Parameters
    ----------
    gram
        G, symmetric positive semi-definite, [C, C].
    target
        c, [C].

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
        if gradient @ weights - gradient[best] <= _TOLERANCE / 2:
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


def residual_candidates(
    embeddings: NDArray[np.floating], target: Vector, first: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Candidates for a mixture: the given first ones, and those that add what mixtures of the former lack.

    Parameters
    ----------
    embeddings
        Coordinates of all that may be taken, [N, D].
    target
        Coordinates of the task, [D].
    first
        Candidates to begin with, such as the nearest; at least one.
    count
        Candidates to add in each of the three rounds.

    Returns
    -------
    NDArray[np.int64]
        Indices into `embeddings`, the first ones first, without repetition.
    """
    pool = first
    for _ in range(_ROUNDS):
        chosen = embeddings[pool].astype(np.float64)
        weights = pairwise_frank_wolfe(chosen @ chosen.T, chosen @ target)
        residual = target - weights @ chosen
        promise = embeddings @ residual.astype(embeddings.dtype)
        most = min(count, len(promise))
        added = np.argpartition(-promise, most - 1)[:most]
        fresh = np.sort(added[~np.isin(added, pool)])
        if not len(fresh):
            break
        pool = np.concatenate([pool, fresh])
    return pool


def heaviest(weights: Vector, count: int) -> NDArray[np.int64]:
    """Indices of the `count` heaviest positive weights, heaviest first, ties by index."""
    order = np.argsort(-weights, kind="stable")[:count]
    return np.asarray(order[weights[order] > 0])


def sparse_mixture(gram: Matrix, target: Vector, target_norm: float, *, max_members: int) -> MixtureWeights:
    """Best convex mixture of candidates, thinned to few members.

    The lightest member is dropped, and the weights of the others found anew, until at most `max_members` are left and
    none weighs less than `MIN_WEIGHT`.

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
    members = np.arange(len(target))
    weights = simplex_weights(gram, target)
    while len(members) > 1 and (np.count_nonzero(weights) > max_members or weights.min() < MIN_WEIGHT):
        kept = np.sort(np.argsort(-weights, kind="stable")[: len(weights) - 1])
        members = members[kept]
        weights = simplex_weights(gram[np.ix_(members, members)], target[members])
    order = np.argsort(-weights, kind="stable")
    members, weights = members[order], weights[order]
    spread = np.zeros(len(target))
    spread[members] = weights
    value = float(spread @ gram @ spread - 2.0 * target @ spread + target_norm)
    return MixtureWeights(members, weights, max(0.0, value), duality_gap(gram, target, spread))
