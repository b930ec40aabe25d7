"""How islands are divided among shards, and what each shard is to be told of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
import threading
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from services.search.bank import Bank
from services.search.engines.shard import BankPart, IslandPart, Record
from services.search.entry import Placed
from services.search.index import DockIndex, IslandIndex
from services.search.packs import Pack, Stored

# No pack is larger.
_PACK_BYTES = 2**44


@dataclass(frozen=True, eq=False)
class Deal:
    """How the learnwares of a bank are dealt to shards: by the remainder of their entries' sequences.

    Attributes
    ----------
    number
        Names the bank in messages.
    sequences
        Those of its entries, int64 [n].
    names
        Of their specifications, int64 [n].
    shards
        Number of shards.
    """

    number: int
    sequences: NDArray[np.int64]
    names: NDArray[np.int64]
    shards: int

    @cached_property
    def positions(self) -> tuple[NDArray[np.int64], ...]:
        """Positions of each shard's learnwares in the bank, ascending."""
        remainders = self.sequences % self.shards
        return tuple(np.flatnonzero(remainders == shard) for shard in range(self.shards))

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.sequences)

    def find(self, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of entries in the bank, int64 [m]; -1 for those that are not there."""
        if len(self.sequences) == 0:
            return np.full(len(wanted), -1, dtype=np.int64)
        places = np.searchsorted(self.sequences, wanted, sorter=self._order)
        positions = self._order[np.minimum(places, len(self.sequences) - 1)]
        return np.where(self.sequences[positions] == wanted, positions, -1)


@dataclass(frozen=True, eq=False)
class DividedBank:
    """A bank and how it is dealt."""

    bank: Bank
    deal: Deal

    def names(self, shard: int) -> NDArray[np.int64]:
        """Names of the specifications that a shard has, int64 [n]."""
        return self.deal.names[self.deal.positions[shard]]

    def part(self, shard: int) -> BankPart:
        """What a shard gets of the bank, beside the specifications."""
        positions = self.deal.positions[shard]
        learnwares = [self.bank.learnwares[position] for position in positions]
        return BankPart(
            learnwares=tuple(placed.entry.learnware for placed in learnwares),
            sequences=self.deal.sequences[positions],
            names=self.names(shard),
            rows=self.bank.rows[positions],
            norms=np.array([placed.norm for placed in learnwares]),
        )

    def records(self, shard: int, known: NDArray[np.int64]) -> Iterator[Record]:
        """Specifications of a shard, but for those that it knows by name."""
        lacking = ~np.isin(self.names(shard), known)
        for position in self.deal.positions[shard][lacking]:
            stored = self.bank.learnwares[position].specification
            yield Record(
                int(self.deal.names[position]), stored.key, stored.atom_count, stored.record, stored.claimed_error
            )


@dataclass(frozen=True, eq=False)
class DividedIsland:
    """An island and how its banks are dealt.

    Attributes
    ----------
    number
        Names the island in messages.
    island
        The island; whoever holds this holds it.
    large, small
        Its banks.
    """

    number: int
    island: IslandIndex
    large: DividedBank
    small: DividedBank

    @property
    def part(self) -> IslandPart:
        """What every shard gets beside the banks."""
        one = self.island
        return IslandPart(one.key, one.profile, one.background, self.large.deal.number, self.small.deal.number)

    def placed(self, sequences: NDArray[np.int64]) -> list[Placed]:
        """The learnwares that have these entries."""
        in_small, in_large = self.small.deal.find(sequences), self.large.deal.find(sequences)
        return [
            self.small.bank.learnwares[small] if small >= 0 else self.large.bank.learnwares[large]
            for small, large in zip(in_small, in_large, strict=True)
        ]


class Division:
    """All islands that somebody still holds; forgets the others.

    Parameters
    ----------
    shards
        Number of shards.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._lock = threading.Lock()
        self._deals: WeakKeyDictionary[Bank, Deal] = WeakKeyDictionary()
        self._islands: WeakKeyDictionary[IslandIndex, int] = WeakKeyDictionary()
        self._packs: WeakKeyDictionary[Pack, int] = WeakKeyDictionary()
        self._last = 0

    def add(self, index: DockIndex) -> None:
        """Deal the islands of an index."""
        with self._lock:
            for island in index.islands.values():
                for bank in (island.large, island.small):
                    if bank not in self._deals:
                        self._deals[bank] = self._deal(bank)
                if island not in self._islands:
                    self._islands[island] = self._next()

    def of(self, island: IslandIndex) -> DividedIsland:
        """An island that was added."""
        with self._lock:
            return self._divided(island)

    def living(self) -> Sequence[DividedIsland]:
        """The islands that somebody holds."""
        with self._lock:
            return [self._divided(island) for island in list(self._islands)]

    def _deal(self, bank: Bank) -> Deal:
        names = np.array([self._name(placed.specification) for placed in bank.learnwares], dtype=np.int64)
        return Deal(self._next(), bank.shelf.sequences, names, self._shards)

    def _name(self, stored: Stored) -> int:
        """A number that no other specification has: sequences are used again by a catalogue that was set back."""
        if stored.pack not in self._packs:
            self._packs[stored.pack] = self._next()
        return self._packs[stored.pack] * _PACK_BYTES + stored.place

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _divided(self, island: IslandIndex) -> DividedIsland:
        large, small = (DividedBank(bank, self._deals[bank]) for bank in (island.large, island.small))
        return DividedIsland(self._islands[island], island, large, small)
