"""Exact distances of learnwares to a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import facing, widened
from learndock.rkme.specification import Specification
from services.search.embedding import embed
from services.search.entry import Placed
from services.search.profile import Profile

# Distances are rounded to this many decimals, far below what a specification can tell: equal learnwares then tie
# whatever the order of summation, and ties go by id.
DECIMALS = 10
# Learnwares scored at a time: as many as are usually wanted, and their kernel values stay in the processor's cache.
BLOCK = 10


@dataclass(frozen=True, eq=False)
class Stack:
    """Learnwares' specifications on top of one another.

    Attributes
    ----------
    atoms
        Their atoms in the data's own units, float32 [sum K, d].
    weights
        Their weights, float64 [sum K].
    starts
        Where the atoms of each begin, int64 [n].
    """

    atoms: NDArray[np.float32]
    weights: NDArray[np.float64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, learnwares: Sequence[Placed]) -> Stack:
        """Those of at least one learnware; reads them."""
        specifications = [placed.specification for placed in learnwares]
        return cls(
            np.concatenate([specification.atoms for specification in specifications]),
            np.concatenate([specification.weights for specification in specifications]),
            np.cumsum([0, *(specification.atom_count for specification in specifications[:-1])]),
        )

    def summed(self, per_atom: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted sums over the atoms of each, float64 [n]."""
        return np.add.reduceat(self.weights * per_atom, self.starts)


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
        """Its atoms as the other side of `rows_of` learnwares, float64 [d + 2, K]."""
        return facing(widened(self.atoms, self.weights @ self.atoms), 1.0 / self.profile.scaler.scale)

    @cached_property
    def per_square(self) -> NDArray[np.float64]:
        """What the square of each column's own unit counts, float64 [d]."""
        return self.profile.scaler.scale**-2

    def rows_of(self, stack: Stack) -> NDArray[np.float64]:
        """Atoms from this task's origin in the data's own units, widened, float64 [sum K, d + 2]."""
        return widened(stack.atoms, self.origin, self.per_square)

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
    stack = Stack.of(block)
    return stack.summed(task.profile.kernel.sums(task.rows_of(stack), task.columns, task.weights))


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
    kernel, stack = task.profile.kernel, Stack.of(learnwares)
    rows, weights = task.rows_of(stack), stack.weights
    columns = facing(rows, task.per_square)
    gram = np.diag([placed.norm for placed in learnwares])
    for i, (start, end) in enumerate(pairwise([*stack.starts[1:].tolist(), len(rows)]), start=1):
        per_atom = kernel.sums(rows[:start], columns[:, start:end], weights[start:end])
        gram[i, :i] = gram[:i, i] = np.add.reduceat(weights[:start] * per_atom, stack.starts[:i])
    return gram, stack.summed(kernel.sums(rows, task.columns, task.weights))
