"""The index as a search sees it: immutable, one object for the whole dock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from services.search.background import Background
from services.search.bank import Bank
from services.search.catalogue import Admission, Bitmap, Shelf
from services.search.entry import Entry, Placed
from services.search.island import IslandKey
from services.search.profile import Profile


@dataclass(frozen=True, eq=False)
class IslandIndex:
    """The learnwares of an island.

    They lie in two banks: a large one, and a small one with what changed since the large one was made. What changed is
    dead in the large bank.

    Attributes
    ----------
    key
        The island.
    profile
        How its learnwares are compared.
    background
        What distances are ordinary.
    large
        Most learnwares, searched through FAISS.
    alive
        Which of `large` still hold, bool [n].
    small
        Learnwares that came or changed since.
    """

    key: IslandKey
    profile: Profile
    background: Background
    large: Bank
    alive: Bitmap
    small: Bank

    def living(self) -> Iterator[Placed]:
        """All learnwares that hold."""
        yield from (placed for placed, alive in zip(self.large.learnwares, self.alive, strict=True) if alive)
        yield from self.small.learnwares

    def admitted(self, admission: Admission) -> tuple[Bitmap, Bitmap]:
        """Who is admitted, in the large and in the small bank."""
        return self.large.shelf.admitted(admission) & self.alive, self.small.shelf.admitted(admission)

    def comparable_count(self, admission: Admission) -> int:
        """Number of learnwares that the caller may know of and compare, whatever the filter."""
        large = self.large.shelf.comparable(admission) & self.alive
        return int(np.count_nonzero(large) + np.count_nonzero(self.small.shelf.comparable(admission)))


@dataclass(frozen=True, eq=False)
class DockIndex:
    """All searchable learnwares as of one change of the catalogue.

    Attributes
    ----------
    sequence
        That change.
    islands
        By `IslandKey.island_id`.
    unplaced
        Learnwares without a statistical specification.
    """

    sequence: int = 0
    islands: Mapping[str, IslandIndex] = field(default_factory=lambda: MappingProxyType({}))
    unplaced: Shelf = field(default_factory=lambda: Shelf.of(()))

    def entries(self) -> Iterator[Entry]:
        """All entries, in order of their learnwares' ids."""
        found = [placed.entry for island in self.islands.values() for placed in island.living()]
        yield from sorted((*found, *self.unplaced.entries), key=lambda entry: entry.learnware_id)

    def shelves(self) -> Iterator[tuple[Shelf, Bitmap]]:
        """Every shelf with those of its learnwares that hold."""
        for island in self.islands.values():
            yield island.large.shelf, island.alive
            yield island.small.shelf, np.ones(len(island.small), dtype=bool)
        yield self.unplaced, np.ones(len(self.unplaced), dtype=bool)
