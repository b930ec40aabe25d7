"""The gate before publication: what a specification may give away about single rows.

Distances are taken in the builder's space of robustly scaled columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from learndock.errors import InvalidInput, Reason
from learndock.rkme.kernel import squared_distances
from learndock.rkme.objective import Float32Rows
from learndock.rkme.reduced_set import MIN_ROWS_PER_ATOM
from learndock.rkme.rows import ScaledRows
from learndock.rkme.specification import PrivacyReport

Reducer = Callable[[Float32Rows, int], NDArray[np.float64]]
"""Rows and a number of atoms to atoms."""

MIN_ROWS = 40
"""Below this, a summary can hardly hide a row; building one takes an explicit flag."""

MIN_DISTANCE_RATIO = 0.25
"""No atom is nearer to a row than this share of the median nearest-neighbour distance among rows."""

_QUERY_ROWS = 512
# Rows nearer than this (in squares, beside their squared length) are the same to the float32 sample.
_SAME = 1e-12
_DIRECTIONS = 8
_STEP_GROWTH = 1.5
_STEPS = 40
_LEAST_ATTACKED = 20


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What the rows are to the atoms.

    A point on which at least 5 rows lie is no secret of one of them: an atom may lie there too.

    Attributes
    ----------
    distances
        Distance of each atom to its nearest row, float64 [K]; of a shared atom, to the nearest row elsewhere.
    rows_per_atom
        Number of rows to which an atom is the nearest one, int [K].
    shared
        Whether an atom lies on a point that at least 5 rows share, bool [K].
    """

    distances: NDArray[np.float64]
    rows_per_atom: NDArray[np.intp]
    shared: NDArray[np.bool_]

    @classmethod
    def of(cls, atoms: NDArray[np.float64], rows: ScaledRows) -> Neighbourhood:
        """Neighbourhood of atoms [K, d] among all rows; float64, O(n K d)."""
        nearest, elsewhere = np.full(len(atoms), np.inf), np.full(len(atoms), np.inf)
        rows_of, here = np.zeros(len(atoms), dtype=np.intp), np.zeros(len(atoms), dtype=np.intp)
        for block in rows.blocks():
            d2 = squared_distances(atoms, block)
            rows_of += np.bincount(d2.argmin(axis=0), minlength=len(atoms))
            np.minimum(nearest, d2.min(axis=1), out=nearest)
            same = d2 <= _same(atoms)
            if same.any():
                here += same.sum(axis=1)
                d2[same] = np.inf
            np.minimum(elsewhere, d2.min(axis=1), out=elsewhere)
        shared = here >= MIN_ROWS_PER_ATOM
        return cls(np.sqrt(np.where(shared, elsewhere, nearest)), rows_of, shared)


@dataclass(frozen=True, eq=False)
class PrivacyGate:
    """What atoms must pass before they are published.

    Attributes
    ----------
    rows
        All rows.
    sample
        Those that the atoms were made of, scaled, in random order, float32 [m, d].
    neighbour_distance
        Median distance of a row to the nearest row that differs from it.
    """

    rows: ScaledRows
    sample: Float32Rows
    neighbour_distance: float

    @classmethod
    def of(cls, rows: ScaledRows, sample: Float32Rows) -> PrivacyGate:
        """Gate of these rows.

        Raises
        ------
        InvalidInput
            All rows are the same (PRIVACY_AT_RISK): any summary would be that row.
        """
        return cls(rows, sample, _median_neighbour_distance(rows, sample[:_QUERY_ROWS].astype(np.float64)))

    def keep_distance(
        self, atoms: NDArray[np.float64], generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], int]:
        """Atoms none of which is nearer to a row than a quarter of the neighbour distance, and how many were moved.

        An atom that is too near takes a step in a random direction; steps grow until one of eight ends far enough
        from every row. Where the row that it is too near to is one of at least 5 that are the same, it takes their
        place instead, unless another atom has. Atoms are rounded as publication will round them, so what is checked is
        what is published.

        Parameters
        ----------
        atoms
            Scaled atoms, float64 [K, d].
        generator
            Source of the directions.

        Raises
        ------
        InvalidInput
            An atom cannot be moved away (PRIVACY_AT_RISK).
        """
        atoms = self._rounded(atoms)
        least = MIN_DISTANCE_RATIO * self.neighbour_distance
        near = np.flatnonzero(Neighbourhood.of(atoms, self.rows).distances < least)
        atoms, near = self._settled(atoms, near, least)
        moved, step = len(near), least
        for _ in range(_STEPS):
            if not len(near):
                return atoms, moved
            candidates, distances = self._steps_from(atoms[near], step, generator)
            best = distances.argmax(axis=1)
            free = distances.max(axis=1) >= least
            atoms[near[free]] = candidates[free, best[free]]
            near, step = near[~free], step * _STEP_GROWTH
        raise InvalidInput(
            Reason.PRIVACY_AT_RISK, "An atom cannot be kept away from the rows; ask for fewer atoms.", field="rows"
        )

    def report(self, atoms: NDArray[np.float64], *, perturbed: int, reduce: Reducer, count: int) -> PrivacyReport:
        """What published `atoms` give away; `reduce` and `count` made them and make the shadow."""
        neighbours = Neighbourhood.of(atoms, self.rows)
        return PrivacyReport(
            min_distance_ratio=float(neighbours.distances.min() / self.neighbour_distance),
            min_rows_per_atom=int(neighbours.rows_per_atom.min()),
            membership_auc=membership_auc(self.sample, count, reduce),
            perturbed_atoms=perturbed,
            shared_atoms=int(neighbours.shared.sum()),
        )

    def _settled(
        self, atoms: NDArray[np.float64], near: NDArray[np.intp], least: float
    ) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
        """Atoms, those of them on shared points that can be, each point once; and which are still too near to rows."""
        if not len(near):
            return atoms, near
        points = self._rounded(self._nearest_rows(atoms[near]))
        around = Neighbourhood.of(points, self.rows)
        free = around.shared & (around.distances >= least)
        atoms[near[free]] = points[free]
        _, first = np.unique(points[free], axis=0, return_index=True)
        doubled = np.delete(near[free], first)
        still = np.zeros(len(atoms), dtype=bool)
        still[near[~free]] = True
        return np.delete(atoms, doubled, axis=0), np.flatnonzero(np.delete(still, doubled))

    def _nearest_rows(self, atoms: NDArray[np.float64]) -> NDArray[np.float64]:
        """The row that is nearest to each atom, scaled, [K, d]."""
        nearest, found = np.full(len(atoms), np.inf), np.empty_like(atoms)
        for block in self.rows.blocks():
            d2 = squared_distances(atoms, block)
            closer = d2.min(axis=1) < nearest
            nearest[closer] = d2.min(axis=1)[closer]
            found[closer] = block[d2.argmin(axis=1)[closer]]
        return found

    def _rounded(self, atoms: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.rows.transform(self.rows.publish(atoms))

    def _steps_from(
        self, atoms: NDArray[np.float64], length: float, generator: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Ends of random steps, [V, 8, d], and their distances to the nearest row, [V, 8]."""
        shape = (len(atoms), _DIRECTIONS, atoms.shape[1])
        varies = np.ptp(self.sample, axis=0) > 0  # a constant column stays what it is
        directions = generator.normal(size=shape) * varies
        directions *= length / np.linalg.norm(directions, axis=2, keepdims=True)
        ends = self._rounded((atoms[:, None] + directions).reshape(-1, atoms.shape[1]))
        return ends.reshape(shape), Neighbourhood.of(ends, self.rows).distances.reshape(shape[:2])


def _median_neighbour_distance(rows: ScaledRows, queries: NDArray[np.float64]) -> float:
    """Median over `queries` of the distance to the nearest row that is not the same.

    Repeated rows are passed over: with them the median could be zero, and the rule that rests on it empty.
    """
    nearest = np.full(len(queries), np.inf)
    same = _same(queries)
    for block in rows.blocks():
        d2 = squared_distances(queries, block)
        np.minimum(nearest, np.where(d2 > same, d2, np.inf).min(axis=1), out=nearest)
    if not np.isfinite(nearest).all():
        raise InvalidInput(
            Reason.PRIVACY_AT_RISK, "All rows are the same; a summary would publish that row.", field="rows"
        )
    return float(np.sqrt(np.median(nearest)))


def _same(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances to `points` [n, d] up to which a row is the same, float64 [n, 1]."""
    return np.asarray(_SAME * (1.0 + (points * points).sum(axis=1, keepdims=True)))


def membership_auc(sample: Float32Rows, count: int, reduce: Reducer) -> float | None:
    """Area under the curve of a nearest-atom membership attack on a shadow of the build.

    The attacker guesses that a row was summarised if it lies near an atom. To measure that, rows are needed that come
    from the same distribution and did *not* take part. Holding them out of the build itself would cost fidelity, and
    with few rows would leave too few to measure by. So the same procedure builds a shadow, with half of the atoms, on a
    random half of the rows - the same number of rows per atom - and the attack has to tell this half from the
    other. Chance alone decides which half a row is in: without leakage the area is 0.5, with a standard error of about
    0.4 / sqrt(rows). The shadow's atoms are not moved away from rows as published ones are, so the figure errs to the
    careful side. It speaks of this attack only; it is no proof against others.

    Parameters
    ----------
    sample
        Scaled rows in random order, [m, d].
    count
        Atoms of the build.
    reduce
        The procedure: rows and a number of atoms to atoms.

    Returns
    -------
    float | None
        The area; None for fewer than 40 rows, where it would be noise.
    """
    half = len(sample) // 2
    if half < _LEAST_ATTACKED:
        return None
    atoms = reduce(sample[:half], max(1, count // 2))
    nearness = -squared_distances(atoms, sample[: 2 * half]).min(axis=0)
    return float(roc_auc_score(np.arange(2 * half) < half, nearness))
