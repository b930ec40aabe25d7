"""A copy of a shard as the service sees it: what it holds, whether it can answer, and how it is filled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
import logging
import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.search.engines.partition import DividedBank, DividedIsland
from services.search.engines.shard import Holdings, Record, ShardQuestion, ShardRanking

# Specifications in one message; 12 MB at 100 atoms in 30 columns.
_RECORDS = 1024

_log = logging.getLogger("learndock.search")


class ShardLostError(Exception):
    """A copy of a shard is gone, or has begun anew."""


class RemoteShard(Protocol):
    """A `Shard` in another process. All methods raise `ShardLostError` where it is gone."""

    def take(self, records: Sequence[Record]) -> None:
        """See `Shard.take`."""

    def hold(self, holdings: Holdings) -> None:
        """See `Shard.hold`."""

    def rank(self, question: ShardQuestion) -> Callable[[], ShardRanking]:
        """Ask, and return what waits for the answer; see `Shard.rank`."""


class Replica:
    """A copy of a shard.

    Parameters
    ----------
    remote
        Where it is.
    shard
        Which shard it is a copy of.
    """

    def __init__(self, remote: RemoteShard, shard: int) -> None:
        self.remote = remote
        self._shard = shard
        self._lock = threading.Lock()
        self._banks: dict[int, NDArray[np.int64]] = {}
        self._islands: frozenset[int] = frozenset()
        self._filled = self._lost = False

    @property
    def ready(self) -> bool:
        """Whether it holds what it should, as far as is known."""
        return self._filled and not self._lost

    @property
    def lost(self) -> bool:
        """Whether it was found gone, and has not been filled since."""
        return self._lost

    def lose(self) -> None:
        """Somebody found that it is gone, or has begun anew."""
        self._lost = True

    def fill(self, wanted: Sequence[DividedIsland]) -> None:
        """Let it hold these islands and nothing else. What then does not answer is lost."""
        with self._lock:
            if self._lost:
                self._banks, self._islands = {}, frozenset()
            try:
                self._send(wanted)
            except ShardLostError as error:
                self._lost = True
                _log.warning("shard_lost", extra={"shard": self._shard, "error": repr(error)})
            else:
                self._filled, self._lost = True, False

    def _send(self, wanted: Sequence[DividedIsland]) -> None:
        banks = {bank.deal.number: bank for island in wanted for bank in (island.large, island.small)}
        fresh = {number: bank for number, bank in banks.items() if number not in self._banks}
        for records in _batches(self._lacking(fresh)):
            self.remote.take(records)
        islands = frozenset(island.number for island in wanted)
        self.remote.hold(
            Holdings(
                banks={number: bank.part(self._shard) for number, bank in fresh.items()},
                islands={island.number: island.part for island in wanted if island.number not in self._islands},
                kept_banks=frozenset(banks),
                kept_islands=islands,
            )
        )
        self._banks = {number: bank.names(self._shard) for number, bank in banks.items()}
        self._islands = islands

    def _lacking(self, fresh: Mapping[int, DividedBank]) -> Iterator[Record]:
        known = np.concatenate([np.zeros(0, dtype=np.int64), *self._banks.values()])
        for bank in fresh.values():
            yield from bank.records(self._shard, known)
            known = np.concatenate([known, bank.names(self._shard)])


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, _RECORDS)):
        yield batch
