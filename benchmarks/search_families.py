"""Specifications of realistic families, as many as wanted, without packages.

A family is what several owners of similar data share: a place among few directions that all columns depend on. Each
learnware of a family has seen a slightly moved part of it, and its specification holds atoms drawn from what it saw;
they are not reduced from many rows, which makes them rougher, and proofs longer, than those of real owners. Eight
directions are a choice: tables of 30 columns usually vary in few. With families that fill all 30, 256 landmarks leave
over half of every embedding's length, and a proof takes nearly every learnware; decision 10 tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import (
    FormatClass,
    Learnware,
    LearnwareVersion,
    SemanticSpecification,
    VersionState,
    Visibility,
)
from learndock.rkme.specification import Specification
from services.search.live import Change

FAMILIES = 400
# Directions that the columns depend on, how far families lie apart in them, and how far owners of one family.
_DIRECTIONS = 8
_PLACES = 1.8
_MOVED = 0.2
# What each column has of its own.
_OWN = 0.2
_OWNERS = 50
_TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False)
class Families:
    """Families of data.

    Attributes
    ----------
    places
        Their places, float64 [families, directions].
    columns
        How columns depend on the directions, float64 [directions, d].
    atoms
        Atoms of each specification.
    """

    places: NDArray[np.float64]
    columns: NDArray[np.float64]
    atoms: int

    @classmethod
    def drawn(cls, generator: np.random.Generator, *, dimension: int, atoms: int) -> Families:
        """Random families."""
        places = generator.normal(scale=_PLACES, size=(FAMILIES, _DIRECTIONS))
        columns = generator.normal(scale=_DIRECTIONS**-0.5, size=(_DIRECTIONS, dimension))
        return cls(places, columns, atoms)

    def owner(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Where one more owner's data lies, of any family, float64 [directions]."""
        return self.places[generator.integers(FAMILIES)] + _MOVED * generator.standard_normal(_DIRECTIONS)

    def rows(self, place: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Rows of an owner's data, float32 [count, d]."""
        inner = place + generator.standard_normal((count, _DIRECTIONS))
        own = generator.standard_normal((count, self.columns.shape[1]), dtype=np.float32)
        return (inner @ self.columns + _OWN * own).astype(np.float32)

    def specification(self, generator: np.random.Generator) -> Specification:
        """Specification of one more owner of any family's data."""
        atoms = self.rows(self.owner(generator), self.atoms, generator)
        weights = generator.gamma(4.0, size=self.atoms)
        return Specification(atoms=atoms, weights=weights / weights.sum())

    def task_of_parts(self, generator: np.random.Generator, parts: list[Specification]) -> Specification:
        """What somebody has whose rows come from the owners of `parts`; of as many atoms as any other."""
        shares = generator.dirichlet(np.full(len(parts), 4.0))
        atoms = np.concatenate([part.atoms for part in parts])
        weights = np.concatenate([share * part.weights for share, part in zip(shares, parts, strict=True)])
        drawn = generator.choice(len(atoms), size=self.atoms, replace=False, p=weights)
        return Specification(atoms=atoms[drawn], weights=weights[drawn] / weights[drawn].sum())


def changes(families: Families, generator: np.random.Generator, *, first: int, last: int) -> Iterator[Change]:
    """The changes `first` to `last` of a catalogue that only grows."""
    for sequence in range(first, last + 1):
        yield Change(sequence, learnware(sequence), searchable=True, specification=families.specification(generator))


def learnware(number: int) -> Learnware:
    """A learnware as the catalogue would tell it."""
    learnware_id = f"{number:08d}"
    return Learnware(
        learnware_id=learnware_id,
        owner_id=f"owner{number % _OWNERS}",
        semantic_specification=SemanticSpecification(
            f"Learnware {number}", "", "Table", "Classification", "Scikit-learn", ("Education",), "MIT"
        ),
        visibility=Visibility.PUBLIC,
        current_version=LearnwareVersion(
            learnware_id, 1, VersionState.VERIFIED, f"{number:064x}", 1, _TIME, FormatClass.SAFE
        ),
        create_time=_TIME,
        update_time=_TIME,
    )
