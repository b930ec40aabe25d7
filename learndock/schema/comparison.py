"""How near a task is to learnwares that know some of its columns: exactly, on the columns that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import Kernel, RobustScaler, squared_distances
from learndock.schema.assignment import Assignment

# Gaussians at these multiples of 1 / (median squared distance), as in the comparison of like tables.
_MULTIPLES = (1.0, 4.0)
_SAMPLED_ATOMS = 1000


class WeightedAtoms(Protocol):
    """A specification as far as distances ask: weighted points."""

    @property
    def atoms(self) -> NDArray[np.float32]:
        """Points, float32 [K, d]."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """Their weights, float64 [K]."""


@dataclass(frozen=True, eq=False)
class Marginal:
    """A specification's shared columns, scaled.

    Attributes
    ----------
    atoms
        float64 [K, m].
    weights
        float64 [K].
    norm
        |mu|^2.
    """

    atoms: NDArray[np.float64]
    weights: NDArray[np.float64]
    norm: float


@dataclass(frozen=True, eq=False)
class SharedSpace:
    """The columns that a task shares with the learnwares of one schema.

    The Gaussian kernel is a product over columns, so dropping columns of the atoms of a reduced kernel mean embedding
    gives the embedding of the marginal distribution: distances on the shared columns are as exact as any.

    Attributes
    ----------
    assignment
        Which columns these are.
    scaler, kernel
        Fitted on the learnwares, never on the task.
    """

    assignment: Assignment
    scaler: RobustScaler
    kernel: Kernel

    @classmethod
    def fit(
        cls, assignment: Assignment, learnwares: Sequence[WeightedAtoms], generator: np.random.Generator
    ) -> SharedSpace:
        """Space of the learnwares of one schema, at least one; large numbers are sampled."""
        pooled = np.concatenate([one.atoms[:, assignment.learnware_columns] for one in learnwares]).astype(np.float64)
        if len(pooled) > _SAMPLED_ATOMS:
            pooled = pooled[generator.choice(len(pooled), size=_SAMPLED_ATOMS, replace=False)]
        scaler = RobustScaler.levelled(pooled)
        scaled = scaler.transform(pooled)
        d2 = squared_distances(scaled, scaled)[np.triu_indices(len(scaled), k=1)]
        typical = float(np.median(d2[d2 > 0])) if (d2 > 0).any() else 1.0
        return cls(assignment, scaler, Kernel(tuple(multiple / typical for multiple in _MULTIPLES)))

    def of_task(self, task: WeightedAtoms) -> Marginal:
        """The task on the shared columns, in the learnwares' units."""
        return self._marginal(self.assignment.converted(task.atoms), task.weights)

    def of_learnware(self, learnware: WeightedAtoms) -> Marginal:
        """A learnware on the shared columns."""
        return self._marginal(learnware.atoms[:, self.assignment.learnware_columns], learnware.weights)

    def _marginal(self, rows: NDArray[np.floating], weights: NDArray[np.float64]) -> Marginal:
        atoms = self.scaler.transform(rows)
        return Marginal(atoms, weights, float(weights @ self.kernel.gram(atoms, atoms) @ weights))

    def mmd2(self, a: Marginal, b: Marginal) -> float:
        """Squared maximum mean discrepancy on the shared columns, >= 0."""
        return max(0.0, a.norm + b.norm - 2.0 * self._inner(a, b))

    def overlap(self, a: Marginal, b: Marginal) -> float:
        """Cosine of the angle between the two embeddings, 0 to 1."""
        return float(self._inner(a, b) / max((a.norm * b.norm) ** 0.5, np.finfo(float).tiny))

    def distance(self, task: Marginal, learnware: Marginal) -> float:
        """The discrepancy on what is shared, and on what is not that of distributions that nowhere overlap.

        With the share s of columns in common, s MMD2(task, learnware) + (1 - s) 2 |mu_task|^2: comparable between
        schemas, and in the order of the discrepancy within one. The learnware's own norm is left out, or a broader
        learnware would seem nearer.
        """
        shared = share_of(self.assignment)
        return shared * self.mmd2(task, learnware) + (1.0 - shared) * 2.0 * task.norm

    def _inner(self, a: Marginal, b: Marginal) -> float:
        return float(a.weights @ self.kernel.gram(a.atoms, b.atoms) @ b.weights)


def share_of(assignment: Assignment) -> float:
    """Share of both sides' columns that are common, 0 to 1: Dice's coefficient, a match counting by its confidence."""
    confident = sum(match.confidence for match in assignment.matches)
    return 2.0 * confident / (assignment.task_dimension + assignment.learnware_dimension)
