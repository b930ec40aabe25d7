"""Where members have been: whether a row is like anything that one of them was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.member import Member
from learndock.rkme.kernel import RobustScaler, squared_distances
from learndock.rkme.specification import Specification

# A row is outside when it is farther from a member's nearest atoms than this multiple of what is usual among atoms:
# atoms stand for many rows each, which lie about as far from them as they do from one another.
_ALLOWANCE = 2.0
_USUAL = 0.95


@dataclass(frozen=True, eq=False)
class Support:
    """The regions that several members know.

    Attributes
    ----------
    scaler
        Columns to comparable units.
    atoms
        Scaled atoms of each member.
    reaches
        Squared distance to the nearest atom up to which a member knows a row.
    """

    scaler: RobustScaler
    atoms: tuple[NDArray[np.float64], ...]
    reaches: tuple[float, ...]

    @classmethod
    def of(cls, members: Sequence[Member]) -> Support | None:
        """The members' regions; None where one of them does not tell in the units of its input."""
        specifications = [member.specification for member in members]
        known = [s for s in specifications if s is not None and not s.encoder and s.atom_count > 1]
        if len(known) < len(members) or len({s.dimension for s in known}) > 1:
            return None
        scaler = RobustScaler.fit(np.concatenate([s.atoms for s in known]))
        atoms = tuple(scaler.transform(s.atoms) for s in known)
        return cls(scaler, atoms, tuple(_reach(a, s) for a, s in zip(atoms, known, strict=True)))

    def outside(self, rows: NDArray[np.generic]) -> NDArray[np.bool_]:
        """Which of the rows [n, ...] are outside of all regions, bool [n]; O(n K d) a member."""
        scaled = self.scaler.transform(np.asarray(rows, dtype=np.float64).reshape(len(rows), -1))
        lost = np.ones(len(scaled), dtype=np.bool_)
        for atoms, reach in zip(self.atoms, self.reaches, strict=True):
            lost &= squared_distances(scaled, atoms).min(axis=1) > reach
        return lost


def _reach(atoms: NDArray[np.float64], specification: Specification) -> float:
    between = squared_distances(atoms, atoms)
    np.fill_diagonal(between, np.inf)
    nearest = between.min(axis=1)[specification.weights > 0]
    return float(_ALLOWANCE**2 * np.quantile(nearest, _USUAL))
