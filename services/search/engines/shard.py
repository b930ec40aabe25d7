"""A shard: part of every island, with vectors and specifications of its own, in a process of its own.

What travels between the service and its shards is here too; nothing of it knows how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import tempfile
import threading
import time
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import Learnware
from services.search.background import Background
from services.search.bank import Bank
from services.search.catalogue import Bitmap
from services.search.certified import Budget, Candidates, Mode
from services.search.engines.port import ScoringEngine
from services.search.entry import Entry, Placed
from services.search.index import DockIndex, IslandIndex
from services.search.island import IslandKey
from services.search.packs import Pack, Stored
from services.search.profile import Profile
from services.search.scoring import Task


class NotHeldError(Exception):
    """The shard does not hold the island; it began anew, and is about to be filled."""


@dataclass(frozen=True, eq=False)
class Record:
    """A specification on its way to a shard; see `packs.Pack.append`.

    Attributes
    ----------
    name
        Its name.
    key
        Its island.
    atom_count
        Number of its atoms.
    data
        Its weights and atoms.
    claimed_error
        What its owner says of its error.
    """

    name: int
    key: IslandKey
    atom_count: int
    data: bytes
    claimed_error: float


@dataclass(frozen=True, eq=False)
class BankPart:
    """A shard's part of a bank; its specifications go before it.

    Attributes
    ----------
    learnwares
        The learnwares.
    sequences
        Those of their entries, int64 [n].
    names
        Names of their specifications, int64 [n].
    rows
        Their embeddings, float32 [n, D + 1].
    norms
        Their |mu|^2, float64 [n].
    """

    learnwares: tuple[Learnware, ...]
    sequences: NDArray[np.int64]
    names: NDArray[np.int64]
    rows: NDArray[np.float32]
    norms: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IslandPart:
    """A shard's part of an island: two banks, by their numbers, and how they are compared."""

    key: IslandKey
    profile: Profile
    background: Background
    large: int
    small: int


@dataclass(frozen=True, eq=False)
class Holdings:
    """What a shard shall hold from now on.

    Attributes
    ----------
    banks
        Banks that it does not hold yet, by number.
    islands
        Islands that it does not hold yet, by number.
    kept_banks, kept_islands
        All that it shall hold, those included; the rest is dropped. A shard that has begun anew is told of everything.
    """

    banks: Mapping[int, BankPart]
    islands: Mapping[int, IslandPart]
    kept_banks: frozenset[int]
    kept_islands: frozenset[int]


@dataclass(frozen=True)
class Terms:
    """How a question is to be answered; see `ScoringEngine.rank`.

    Attributes
    ----------
    k
        How many are wanted.
    mode
        How hard to look.
    seconds
        Until the caller stops waiting.
    exhaustive_below
        With fewer candidates, all are scored.
    """

    k: int
    mode: Mode
    seconds: float
    exhaustive_below: int


@dataclass(frozen=True, eq=False)
class ShardQuestion:
    """A question to a shard; see `ScoringEngine.rank`.

    Attributes
    ----------
    island
        Number of the island.
    in_large, in_small
        Who is admitted of the shard's parts of its banks.
    max_scored
        Most exact scores; None for no limit.
    task
        The fields of `Task` but the profile, which the shard has.
    terms
        What holds for every shard.
    """

    island: int
    in_large: Bitmap
    in_small: Bitmap
    max_scored: int | None
    task: Mapping[str, Any]
    terms: Terms


@dataclass(frozen=True, eq=False)
class ShardRanking:
    """A shard's answer: which of its learnwares were scored, by `Entry.sequence`, and whether its best k are proven."""

    sequences: NDArray[np.int64]
    mmd2: NDArray[np.float64]
    certified: bool


class Shard:
    """Ranks its part of islands; holds what it is told to.

    Parameters
    ----------
    engine
        What scores here.
    """

    def __init__(self, engine: ScoringEngine) -> None:
        self._engine = engine
        self._folder = tempfile.TemporaryDirectory(prefix="learndock-shard-")
        self._pack = Pack(Path(self._folder.name))
        self._lock = threading.Lock()
        self._stored: dict[int, Stored] = {}
        self._banks: dict[int, Bank] = {}
        self._names: dict[int, frozenset[int]] = {}
        self._islands: dict[int, IslandIndex] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Take specifications of banks that will come."""
        with self._lock:
            for record in records:
                self._stored[record.name] = self._pack.append(
                    record.key, record.atom_count, record.data, record.claimed_error
                )

    def hold(self, holdings: Holdings) -> None:
        """Hold these, and nothing else. Questions at work end with what they have.

        Raises
        ------
        NotHeldError
            It should hold something already that it does not.
        """
        with self._lock:
            banks = {**self._banks, **{number: self._bank(part) for number, part in holdings.banks.items()}}
            fresh = {number: _island(part, banks) for number, part in holdings.islands.items()}
            islands = {**self._islands, **fresh}
            self._islands = {n: island for n, island in islands.items() if n in holdings.kept_islands}
            self._banks = {n: bank for n, bank in banks.items() if n in holdings.kept_banks}
            self._names |= {number: frozenset(part.names.tolist()) for number, part in holdings.banks.items()}
            self._names = {number: names for number, names in self._names.items() if number in self._banks}
            needed = frozenset().union(*self._names.values())
            self._stored = {name: one for name, one in self._stored.items() if name in needed}
            by_name = {str(number): island for number, island in self._islands.items()}
            self._engine.hold(DockIndex(islands=MappingProxyType(by_name)))
            if holdings.kept_islands - self._islands.keys():
                raise NotHeldError("What this shard held before is gone.")

    def rank(self, question: ShardQuestion) -> ShardRanking:
        """Rank this part of an island.

        Raises
        ------
        NotHeldError
            The island is not held.
        """
        ends_at = time.monotonic() + question.terms.seconds
        island = self._islands.get(question.island)
        if island is None:
            raise NotHeldError(f"Island {question.island} is not here.")
        ranking = self._engine.rank(
            Candidates(island, question.in_large, question.in_small),
            Task(profile=island.profile, **question.task),
            k=question.terms.k,
            mode=question.terms.mode,
            budget=Budget(question.max_scored, lambda: ends_at - time.monotonic()),
            exhaustive_below=question.terms.exhaustive_below,
        )
        sequences = np.array([one.placed.entry.sequence for one in ranking.scored], dtype=np.int64)
        return ShardRanking(sequences, np.array([one.mmd2 for one in ranking.scored]), ranking.certified)

    def close(self) -> None:
        """Let go of everything."""
        self._engine.close()
        self._pack.close()
        self._folder.cleanup()

    def _bank(self, part: BankPart) -> Bank:
        names, sequences = part.names.tolist(), part.sequences.tolist()
        if not self._stored.keys() >= set(names):
            raise NotHeldError("Specifications that this shard took are gone.")
        entries = (
            Entry(learnware, self._stored[name], sequence)
            for learnware, name, sequence in zip(part.learnwares, names, sequences, strict=True)
        )
        learnwares = [
            Placed(entry, row, float(norm)) for entry, row, norm in zip(entries, part.rows, part.norms, strict=True)
        ]
        return Bank.of(learnwares, part.rows.shape[1])


def _island(part: IslandPart, banks: Mapping[int, Bank]) -> IslandIndex:
    large, small = banks[part.large], banks[part.small]
    return IslandIndex(part.key, part.profile, part.background, large, np.ones(len(large), dtype=bool), small)
