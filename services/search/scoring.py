"""Exact distances of learnwares to a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.specification import Specification
from services.search.embedding import embed
from services.search.entry import Placed
from services.search.packs import WeightedAtoms
from services.search.profile import Profile

# Distances are rounded to this many decimals, far below what a specification can tell: equal learnwares then tie
# whatever the order of summation, and ties go by id.
DECIMALS = 10
# Learnwares scored at a time; a block of 100 atoms each against 100 takes 640 KB, which stays in the processor's cache.
BLOCK = 8


@dataclass(frozen=True, eq=False)
class Task:
    """A user's specification under a profile.

    Attributes
    ----------
    profile
        The profile.
    atoms
        Its atoms, scaled, float64 [K, d].
    weights
        Their weights, float64 [K].
    row
        Its embedding [e, r], float64 [D' + 1].
    norm
        |mu_q|^2.
    claimed_error
        MMD2 of the specification to the data it was made of, as its maker says.
    """

    profile: Profile
    atoms: NDArray[np.float64]
    weights: NDArray[np.float64]
    row: NDArray[np.float64]
    norm: float
    claimed_error: float

    @cached_property
    def origin(self) -> NDArray[np.float64]:
        """Mean of its atoms in the data's own units, float64 [d]; what is near has small coordinates from there."""
        return self.profile.scaler.inverse(self.weights @ self.atoms)

    @cached_property
    def columns(self) -> NDArray[np.float64]:
        """Its atoms for squared distances by one product with `_rows` from its origin, float64 [d + 2, K]."""
        return _columns(self.atoms - self.weights @ self.atoms)

    @classmethod
    def under(cls, profile: Profile, specification: Specification) -> Task:
        """The task of a specification of the profile's island."""
        row, norm = embed(profile, specification)
        error = specification.fidelity.mmd2 if specification.fidelity is not None else 0.0
        return cls(profile, profile.scaler.transform(specification.atoms), specification.weights, row, norm, error)


def inner_products(task: Task, learnwares: Sequence[Placed]) -> NDArray[np.float64]:
    """<mu_i, mu_q> of learnwares and task, float64 [n]; O(n K^2 d)."""
    blocks = (learnwares[start : start + BLOCK] for start in range(0, len(learnwares), BLOCK))
    return np.concatenate([np.zeros(0), *(_block_products(task, block) for block in blocks)])


def _block_products(task: Task, block: Sequence[Placed]) -> NDArray[np.float64]:
    specifications = [placed.specification for placed in block]
    starts = np.cumsum([0, *(specification.atom_count for specification in specifications[:-1])])
    rows = _rows(specifications, task.origin, task.profile.scaler.scale)
    weights = np.concatenate([specification.weights for specification in specifications])
    per_atom = _sums(task.profile, rows, task.columns, task.weights)
    return np.asarray(np.add.reduceat(weights * per_atom, starts))


def _rows(
    specifications: Sequence[WeightedAtoms], origin: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scaled atoms a from an origin, as [a, |a|^2, 1], float64 [sum K, d + 2]."""
    atoms = np.concatenate([specification.atoms for specification in specifications])
    rows = np.empty((len(atoms), len(origin) + 2))
    inner = rows[:, :-2]
    np.subtract(atoms, origin, out=inner)
    inner /= scale
    np.einsum("ij,ij->i", inner, inner, out=rows[:, -2])
    rows[:, -1] = 1.0
    return rows


def _columns(atoms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled atoms b from the same origin, as [-2b, 1, |b|^2], so that |a - b|^2 is a product, float64 [d + 2, K]."""
    squares = np.einsum("ij,ij->i", atoms, atoms)
    return np.concatenate([-2.0 * atoms.T, np.ones((1, len(atoms))), squares[None, :]])


def mmd2(task: Task, learnwares: Sequence[Placed]) -> NDArray[np.float64]:
    """Exact MMD2 of each learnware to the task, >= 0, rounded to `DECIMALS`, float64 [n]."""
    return mmd2_of(task, learnwares, inner_products(task, learnwares))


def mmd2_of(task: Task, learnwares: Sequence[Placed], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same, from inner products [n] that are known."""
    norms = np.array([placed.norm for placed in learnwares])
    distances = norms - 2.0 * products + task.norm
    return np.asarray(np.round(np.maximum(distances, 0.0), DECIMALS), dtype=np.float64)


def gram_and_target(task: Task, learnwares: Sequence[Placed]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact inner products of learnwares with one another, float64 [n, n], and with the task, [n]; O(n^2 K^2 d)."""
    specifications = [placed.specification for placed in learnwares]
    weights = np.concatenate([specification.weights for specification in specifications])
    ends = np.cumsum([0, *(specification.atom_count for specification in specifications)])
    rows = _rows(specifications, task.origin, task.profile.scaler.scale)
    columns = _columns(rows[:, :-2])
    gram = np.diag([placed.norm for placed in learnwares])
    for i, (start, end) in enumerate(pairwise(ends[1:]), start=1):
        per_atom = _sums(task.profile, rows[:start], columns[:, start:end], weights[start:end])
        gram[i, :i] = gram[:i, i] = np.add.reduceat(weights[:start] * per_atom, ends[:i])
    per_atom = _sums(task.profile, rows, task.columns, task.weights)
    return gram, np.add.reduceat(weights * per_atom, ends[:-1])


def _sums(
    profile: Profile, rows: NDArray[np.float64], columns: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Kernel values of rows [n, d + 2] and columns [d + 2, m], summed with weights [m], float64 [n]."""
    d2 = rows @ columns
    return profile.kernel.sums(np.abs(d2, out=d2), weights)
