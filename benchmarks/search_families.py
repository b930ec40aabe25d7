"""Specifications of realistic families, as many as wanted, without packages.

A family is what several owners of similar data share: a place among few directions that all columns depend on. Each
learnware of a family has seen a slightly moved part of it. Data that is moved has a specification that is moved alike,
so some are built from rows, as any owner's, and a million others are these, moved, with a little noise.

Eight directions are a choice: tables of 30 columns usually vary in few. With families that fill all 30, 256 landmarks
leave over half of every embedding's length, and a proof takes nearly every learnware; decisions 10 and 12 tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from learndock import specify
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
TASKS = 40
# Directions that the columns depend on, how far families lie apart in them, and how far owners of one family.
_DIRECTIONS = 8
_PLACES = 1.8
_MOVED = 0.2
# What each column has of its own.
_OWN = 0.2
# Rows of an owner, specifications that are built of such, and what moved ones differ from them in each coordinate.
_ROWS = 2000
_FORMS = 32
_NOISE = 0.02
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
    forms
        Specifications of owners in the middle, each of other rows, as the product builds them.
    """

    places: NDArray[np.float64]
    columns: NDArray[np.float64]
    forms: tuple[Specification, ...]

    @classmethod
    def drawn(cls, generator: np.random.Generator, *, dimension: int, atoms: int) -> Families:
        """Random families."""
        places = generator.normal(scale=_PLACES, size=(FAMILIES, _DIRECTIONS))
        columns = generator.normal(scale=_DIRECTIONS**-0.5, size=(_DIRECTIONS, dimension))
        bare = cls(places, columns, ())
        middle = np.zeros(_DIRECTIONS)
        forms = (bare.rows(middle, _ROWS, generator) for _ in range(_FORMS))
        return cls(places, columns, tuple(specify(rows, atom_count=atoms) for rows in forms))

    def owner(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Where one more owner's data lies, of any family, float64 [directions]."""
        place = self.places[generator.integers(FAMILIES)]
        return place + _MOVED * generator.standard_normal(_DIRECTIONS)

    def new_place(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Where the data of a family lies that no owner has, float64 [directions]."""
        return generator.normal(scale=_PLACES, size=_DIRECTIONS)

    def rows(self, place: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.float32]:
        """Rows of an owner's data, float32 [count, d]."""
        inner = place + generator.standard_normal((count, _DIRECTIONS))
        own = generator.standard_normal((count, self.columns.shape[1]), dtype=np.float32)
        return (inner @ self.columns + _OWN * own).astype(np.float32)

    def specification(self, generator: np.random.Generator) -> Specification:
        """Specification of one more owner of any family's data."""
        form = self.forms[generator.integers(len(self.forms))]
        noise = _NOISE * generator.standard_normal(form.atoms.shape, dtype=np.float32)
        return Specification(
            form.atoms + (self.owner(generator) @ self.columns).astype(np.float32) + noise, form.weights
        )

    def task(self, generator: np.random.Generator, owners: int) -> Specification:
        """What somebody has whose rows come from so many owners, specified as they would."""
        shares = generator.dirichlet(np.full(owners, 4.0))
        parts = [self.rows(self.owner(generator), int(1 + 2 * _ROWS * share), generator) for share in shares]
        return specify(np.concatenate(parts))


def some_tasks(families: Families) -> list[Specification]:
    """Tasks: by turns of one owner's kind of data, and of four owners'."""
    return [families.task(np.random.default_rng(10**9 + seed), 4 if seed % 2 else 1) for seed in range(TASKS)]


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
