"""Mixtures: a few weighted learnwares whose mean embedding comes near a task's.

The problem is to minimise |sum_i w_i mu_i - mu_q|^2 = w'Gw - 2c'w + |mu_q|^2 over the simplex with few members, G being
the candidates' Gram matrix and c their inner products with the task. Good mixtures are not made of good singles, so
candidates are found by what the mixture so far lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MIN_WEIGHT = 0.02
PARSIMONY = 1.08
TOLERANCE = 1e-7
_ROUNDS = 200
# Candidates that join a mixture at a time.
_ENTERING = 2
# Sets of a size that are extended, and candidates that are tried as one more member of each.
_WIDTH = 8
_TRIED = 4
# Added to a unit diagonal, so that equal candidates can be told apart.
_JITTER = 1e-9
# A share that has fallen to zero but for rounding.
_NOTHING = 1e-12


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


def nearest_mixture(gram: Matrix, target: Vector, *, start: Sequence[int] = (), tolerance: float = TOLERANCE) -> Vector:
    """Minimiser of w'Gw - 2c'w over the simplex, sparse, to a duality gap of `tolerance`, float64 [C].

    Parameters
    ----------
    gram
        G, symmetric positive semi-definite, [C, C].
    target
        c, [C].
    start
        Candidates that are likely to weigh something.
    tolerance
        Duality gap to reach.

    Notes
    -----
    Fully corrective Frank-Wolfe: the candidates that promise most join those that weigh something, whose weights are
    then made optimal; O(C m) a round with m of them, and few rounds. Source: Lacoste-Julien and Jaggi, On the global
    linear convergence of Frank-Wolfe optimization variants, NIPS 28 (2015).
    """
    chosen = list(start) or [int(np.argmin(np.diag(gram) - 2.0 * target))]
    shares = np.full(len(chosen), 1.0 / len(chosen))
    for _ in range(_ROUNDS):
        chosen, shares = _corrected(gram, target, chosen, shares)
        gradient = gram[:, chosen] @ shares - target
        level = float(gradient[chosen] @ shares)
        gradient[chosen] = np.inf
        entering = np.argsort(gradient, kind="stable")[:_ENTERING]
        entering = entering[gradient[entering] < level - tolerance / 2.0]
        if not len(entering):
            break
        chosen, shares = [*chosen, *entering.tolist()], np.append(shares, np.zeros(len(entering)))
    weights = np.zeros(len(target))
    weights[chosen] = shares
    return weights


def _corrected(gram: Matrix, target: Vector, chosen: list[int], shares: Vector) -> tuple[list[int], Vector]:
    """Those of the chosen that weigh something in their best mixture, and their shares, from shares that are feasible.

    Goes towards the best mixture of any sign, as far as all shares stay positive; what reaches zero leaves. Source:
    Wolfe, Finding the nearest point in a polytope, Mathematical Programming 11 (1976).
    """
    while True:
        aim = _affine(gram[np.ix_(chosen, chosen)][None], target[chosen][None])[0]
        if aim.min() >= 0:
            kept = aim > 0
            return [one for one, keep in zip(chosen, kept, strict=True) if keep], aim[kept]
        falling = aim < 0
        step = float(np.min(shares[falling] / (shares[falling] - aim[falling])))
        shares = np.maximum(shares + step * (aim - shares), 0.0)
        kept = ~(falling & (shares <= _NOTHING))
        chosen = [one for one, keep in zip(chosen, kept, strict=True) if keep]
        shares = shares[kept] / shares[kept].sum()


def _affine(grams: NDArray[np.float64], targets: Matrix) -> Matrix:
    """Minimisers of w'Gw - 2c'w over sum w = 1, of any sign, of problems [n, m, m] and [n, m]."""
    unit = np.einsum("nii->n", grams) / grams.shape[1]
    regular = grams + (_JITTER * unit)[:, None, None] * np.eye(grams.shape[1])
    solved = np.linalg.solve(regular, np.stack([targets, np.ones_like(targets)], axis=2))
    level = (1.0 - solved[:, :, 0].sum(axis=1)) / solved[:, :, 1].sum(axis=1)
    return np.asarray(solved[:, :, 0] + level[:, None] * solved[:, :, 1])


def duality_gap(gram: Matrix, target: Vector, members: NDArray[np.int64], weights: Vector) -> float:
    """How much lower the objective w'Gw - 2c'w can be on the simplex than by these weights of members at most, >= 0."""
    gradient = 2.0 * (weights @ gram[members] - target)
    return float(max(0.0, gradient[members] @ weights - gradient.min()))


def heaviest(weights: Vector, count: int) -> NDArray[np.int64]:
    """Indices of the `count` heaviest positive weights, heaviest first, ties by index."""
    order = np.argsort(-weights, kind="stable")[:count]
    return np.asarray(order[weights[order] > 0])


def best_mixtures(gram: Matrix, target: Vector, target_norm: float, count: int) -> list[MixtureWeights]:
    """Of each size from 1 to `count`, the best mixture that was found, as long as larger ones are any use.

    All pairs are compared; of each size the best few sets are extended by the candidates that promise most. A set whose
    best mixture gives somebody less than `MIN_WEIGHT` is none.

    Parameters
    ----------
    gram
        G, [C, C].
    target
        c, [C].
    target_norm
        |mu_q|^2.
    count
        Most members.
    """
    single = np.array([np.argmin(np.diag(gram) - 2.0 * target)])
    found = [_mixture(gram, target, target_norm, single, np.ones(1))]
    sets = _best_pairs(gram, target) if min(count, len(target)) > 1 else np.zeros((0, 2), dtype=np.int64)
    while len(sets):
        weights, values = _solved(gram, target, sets)
        order = np.argsort(values, kind="stable")[:_WIDTH]
        order = order[np.isfinite(values[order])]
        if not len(order):
            break
        found.append(_mixture(gram, target, target_norm, sets[order[0]], weights[order[0]]))
        if len(found) == min(count, len(target)):
            break
        sets = _extended(gram, target, sets[order], weights[order])
    return found


def _best_pairs(gram: Matrix, target: Vector) -> NDArray[np.int64]:
    """The pairs whose best mixtures are nearest, [n, 2]; every pair has a closed form. O(C^2)."""
    norms = np.diag(gram)
    first, second = np.triu_indices(len(target), k=1)
    curvature = norms[first] + norms[second] - 2.0 * gram[first, second]
    slope = norms[second] - gram[first, second] + target[first] - target[second]
    share = np.clip(slope / np.maximum(curvature, np.finfo(float).tiny), 0.0, 1.0)  # of the first
    value = norms[second] - 2.0 * target[second] + share * (share * curvature - 2.0 * slope)
    best = np.argsort(value, kind="stable")[: 4 * _WIDTH]
    return np.stack([first[best], second[best]], axis=1)


def _extended(gram: Matrix, target: Vector, sets: NDArray[np.int64], weights: Matrix) -> NDArray[np.int64]:
    """Sets with one more member each, every one once: for each of `sets`, with the candidates that it lacks most."""
    gradient = np.einsum("cbm,bm->bc", gram[:, sets], weights) - target
    np.put_along_axis(gradient, sets, np.inf, axis=1)
    tried = min(_TRIED, len(target) - sets.shape[1])
    entering = np.argsort(gradient, axis=1, kind="stable")[:, :tried]
    joined = np.repeat(sets, tried, axis=0)
    grown = np.sort(np.concatenate([joined, entering.reshape(-1, 1)], axis=1), axis=1)
    return np.array(sorted(set(map(tuple, grown.tolist()))), dtype=np.int64)


def _solved(gram: Matrix, target: Vector, sets: NDArray[np.int64]) -> tuple[Matrix, Vector]:
    """Weights of the best mixture of each set [n, m] and its w'Gw - 2c'w; infinite where a weight is too small."""
    grams, targets = gram[sets[:, :, None], sets[:, None, :]], target[sets]
    weights = _affine(grams, targets)
    values = np.einsum("ni,nij,nj->n", weights, grams, weights) - 2.0 * np.einsum("ni,ni->n", targets, weights)
    return weights, np.where(weights.min(axis=1) >= MIN_WEIGHT, values, np.inf)


def sparse_mixture(
    gram: Matrix, target: Vector, target_norm: float, *, max_members: int, parsimony: float = PARSIMONY
) -> MixtureWeights:
    """A convex mixture of few candidates that is nearly as near as the best of so many.

    The fewest members are taken whose MMD2 is at most `parsimony` times the best found: fewer are easier to tell apart
    in reuse.

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
    parsimony
        What fewer members may cost, at least 1.
    """
    found = best_mixtures(gram, target, target_norm, max_members)
    best = min(mixture.mmd2 for mixture in found)
    return next(mixture for mixture in found if mixture.mmd2 <= parsimony * best)


def _mixture(
    gram: Matrix, target: Vector, target_norm: float, members: NDArray[np.int64], weights: Vector
) -> MixtureWeights:
    """A mixture of given members with their best weights."""
    order = np.argsort(-weights, kind="stable")
    members, weights = members[order], weights[order]
    value = float(weights @ gram[np.ix_(members, members)] @ weights - 2.0 * target[members] @ weights + target_norm)
    return MixtureWeights(members, weights, max(0.0, value), duality_gap(gram, target, members, weights))
