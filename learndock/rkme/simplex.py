"""Weights on the simplex: the one quadratic programme of the dock."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
import quadprog

from learndock.errors import InvalidInput, Reason

# Added to a unit diagonal. The first changes nothing that float64 can tell; the others make positive definite what
# rounding (nearly equal atoms, float32 sums) left slightly indefinite.
_JITTERS = (1e-10, 1e-8, 1e-6, 1e-4)


def simplex_weights(gram: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Minimiser of w'Gw - 2c'w over w >= 0, sum w = 1.

    With G the Gram matrix of K embeddings and c their inner products with another one, these are the weights of the
    convex mixture of the K that is nearest to the other in squared maximum mean discrepancy.

    Parameters
    ----------
    gram
        G, symmetric positive semi-definite up to rounding, [K, K].
    target
        c, [K].

    Returns
    -------
    NDArray[np.float64]
        Weights [K], none negative, summing to 1.

    Raises
    ------
    InvalidInput
        Shapes that do not fit, numbers that are not finite, or a matrix that is no Gram matrix.

    Notes
    -----
    Exact active-set method of Goldfarb and Idnani, A numerically stable dual method for solving strictly convex
    quadratic programs, Mathematical Programming 27 (1983); O(K^3), a millisecond at K = 100, seconds at K = 1024.
    """
    G, c = _checked(gram, target)
    if len(c) == 1:
        return np.ones(1)
    unit = abs(float(G.trace())) / len(c) or float(np.abs(c).max()) or 1.0
    for jitter in _JITTERS:
        weights = _solve(G / unit + jitter * np.eye(len(c)), c / unit)
        if weights is not None:
            return weights
    raise InvalidInput(Reason.FIELD_INVALID, "The matrix is not positive semi-definite.", field="gram")


def _checked(
    gram: NDArray[np.floating], target: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    G, c = np.asarray(gram, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if c.ndim != 1 or not len(c) or G.shape != (len(c), len(c)):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH, f"A [K, K] matrix and a [K] target are needed, not {G.shape} and {c.shape}."
        )
    if not (np.isfinite(G).all() and np.isfinite(c).all()):  # the solver would not return
        raise InvalidInput(Reason.NOT_FINITE, "The matrix or the target holds NaN or infinity.", field="gram")
    return (G + G.T) / 2, c


@lru_cache(maxsize=256)
def _constraints(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """That weights sum to 1, and that none is negative."""
    matrix = np.concatenate([np.ones((count, 1)), np.eye(count)], axis=1)
    bounds = np.concatenate([np.ones(1), np.zeros(count)])
    matrix.setflags(write=False)
    bounds.setflags(write=False)
    return matrix, bounds


def _solve(G: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Solution of the programme, or None where the solver reports trouble or breaks a constraint."""
    try:
        constraints, bounds = _constraints(len(c))
        weights = quadprog.solve_qp(G, c, constraints.copy(), bounds.copy(), meq=1)[0]  # the solver writes into them
    except ValueError:
        return None
    if not (abs(weights.sum() - 1.0) <= 1e-6 and weights.min() >= -1e-6):  # as it stands for NaN too
        return None
    weights = np.maximum(weights, 0.0)
    return np.asarray(weights / weights.sum())
