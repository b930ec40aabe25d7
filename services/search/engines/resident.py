"""The engine that keeps whole islands on a torch device and scans them exactly, without bounds or prefilter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
import math
import threading
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
import torch

from services.search import certified, scoring
from services.search.bank import Bank
from services.search.catalogue import Bitmap
from services.search.certified import Budget, Candidates, Mode, Ranking
from services.search.engines.port import EngineStatus
from services.search.engines.rankings import merged
from services.search.engines.residence import Residence
from services.search.engines.together import Together
from services.search.index import DockIndex
from services.search.scoring import Task
from services.search.tally import Scored

# Tasks that are scanned together at most.
_TOGETHER = 16
# Candidates that are taken from the device at first, in the order of the least that their distance may be.
_FIRST = 1024


@dataclass(frozen=True, eq=False)
class _Asked:
    """Whom of a bank to compare with a task."""

    task: Task
    admitted: Bitmap


@dataclass(frozen=True, eq=False)
class _Scanned:
    """Candidates in the order of the least that their distance may be.

    Attributes
    ----------
    positions, least
        The first of them.
    everything
        The least distance of every learnware of the bank, infinite where it is no candidate.
    """

    positions: NDArray[np.int64]
    least: NDArray[np.float64]
    everything: torch.Tensor

    def ascending(self) -> Iterator[tuple[float, int]]:
        """Least distance and position of every candidate."""
        yield from zip(self.least.tolist(), self.positions.tolist(), strict=True)
        least = self.everything.cpu().numpy()
        rest = np.setdiff1d(np.flatnonzero(np.isfinite(least)), self.positions)
        rest = rest[np.argsort(least[rest], kind="stable")]
        yield from zip(least[rest].tolist(), rest.tolist(), strict=True)


class ResidentEngine:
    """Scans the large bank of an island on a device, in single precision with proven bounds of the error.

    What may be among the best k by those bounds is then computed in double precision on the processor, so that answers
    are those of every other engine, whatever the device. The small bank, small islands, the oracle and searches with a
    budget of scores are the processor's.

    Parameters
    ----------
    device
        Where, as torch names it: cuda, cuda:1, or cpu.
    """

    def __init__(self, device: str) -> None:
        torch.set_float32_matmul_precision("highest")
        self._device = torch.device(device)
        self._residents: WeakKeyDictionary[Bank, Together[_Asked, _Scanned]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def hold(self, index: DockIndex) -> None:
        """Take in the large banks of an index; a new one is there after each merge and refit."""
        for island in index.islands.values():
            if island.large not in self._residents and len(island.large):
                resident = Residence.of(island.large, island.profile, self._device)
                with self._lock:
                    self._residents[island.large] = Together(partial(_scan, resident), _TOGETHER)

    def rank(
        self, candidates: Candidates, task: Task, *, k: int, mode: Mode, budget: Budget, exhaustive_below: int
    ) -> Ranking:
        """The k candidates that are nearest to a task; see `ScoringEngine.rank`."""
        with self._lock:
            resident = self._residents.get(candidates.island.large)
        few = candidates.count < exhaustive_below
        if few or resident is None or mode is not Mode.CERTIFIED or budget.max_scored is not None:
            return certified.rank(candidates, task, k=k, mode=mode, budget=budget, exhaustive_below=exhaustive_below)
        scanned = resident.ask(_Asked(task, candidates.in_large))
        nobody = np.zeros_like(candidates.in_large)
        others = replace(candidates, in_large=nobody)
        changed = certified.rank(others, task, k=k, mode=mode, budget=budget, exhaustive_below=0)
        return merged([_settled(candidates.island.large, scanned, task, k, budget), changed], k)

    def status(self) -> EngineStatus:
        """Always ready."""
        return EngineStatus(f"local on {self._device}")

    def close(self) -> None:
        """Give the device's memory back."""
        with self._lock:
            self._residents.clear()


def _scan(resident: Residence, asked: Sequence[_Asked]) -> list[_Scanned]:
    values, errors = resident.scan([one.task for one in asked])
    return [_ascending(values[:, number] - errors[:, number], one.admitted) for number, one in enumerate(asked)]


def _ascending(least: torch.Tensor, admitted: Bitmap) -> _Scanned:
    least = torch.nan_to_num(least, nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)  # overflowed: may be anything
    least[torch.from_numpy(~admitted).to(least.device)] = torch.inf
    found = torch.topk(least, min(_FIRST, int(np.count_nonzero(admitted))), largest=False)
    return _Scanned(found.indices.cpu().numpy(), found.values.cpu().numpy(), least)


def _settled(bank: Bank, scanned: _Scanned, task: Task, k: int, budget: Budget) -> Ranking:
    """The exact distances of all that may be among the best k."""
    scored: list[Scored] = []
    kth = math.inf
    ascending = scanned.ascending()
    while block := list(islice(ascending, scoring.BLOCK)):
        if block[0][0] > kth:
            return Ranking(_sorted(scored), certified=True)
        if budget.remaining(len(scored)) <= 0:
            return Ranking(_sorted(scored), certified=False)
        learnwares = [bank.learnwares[position] for _, position in block]
        values = scoring.mmd2(task, learnwares)
        scored += [Scored(one, float(value)) for one, value in zip(learnwares, values, strict=True)]
        kth = sorted(one.mmd2 for one in scored)[k - 1] if len(scored) >= k else math.inf
    return Ranking(_sorted(scored), certified=True)


def _sorted(scored: Sequence[Scored]) -> tuple[Scored, ...]:
    return tuple(sorted(scored, key=lambda one: one.order))
