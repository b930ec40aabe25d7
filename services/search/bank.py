"""Banks: learnwares with their vectors, fixed once made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from services.search.catalogue import Bitmap, Shelf
from services.search.embedding import lower_bounds
from services.search.entry import Placed

# When fewer learnwares are admitted, all their bounds are computed at once instead of asking FAISS again and again.
_DIRECT_BELOW = 1024
_FIRST = 256
_GROWTH = 4
# Numbers of a vector that FAISS searches: the first principal coordinates and the left-over.
SHORT = 64
# Learnwares whose best is looked at first when few of many are wanted.
_GROUP = 256


@dataclass(frozen=True, eq=False)
class Reach:
    """Learnwares in the order of their lower bounds, as far as one has looked.

    Attributes
    ----------
    positions
        Positions in the bank, int64 [m].
    bounds
        Their lower bounds, ascending, float64 [m].
    horizon
        Nothing else admitted has a smaller bound; infinite when there is nothing else.
    """

    positions: NDArray[np.int64]
    bounds: NDArray[np.float64]
    horizon: float


@dataclass(frozen=True, eq=False)
class Bank:
    """Learnwares of one island under one profile. Immutable, so any number of searches may hold it.

    Attributes
    ----------
    shelf
        Their semantic side.
    learnwares
        The learnwares with their coordinates.
    rows
        Embeddings [e, r], float32 [n, D + 1].
    short
        The first coordinates of e, and r, float32 [n, `SHORT` or D + 1]: their distances are lower bounds of lower
        bounds, and take a quarter of the time.
    vectors
        FAISS index over `short`, which it shares.
    """

    shelf: Shelf
    learnwares: tuple[Placed, ...]
    rows: NDArray[np.float32]
    short: NDArray[np.float32]
    vectors: faiss.IndexFlatL2

    @classmethod
    def of(cls, learnwares: Sequence[Placed], width: int) -> Bank:
        """Bank of learnwares whose embeddings have `width` numbers."""
        rows = np.zeros((len(learnwares), width), dtype=np.float32)
        for position, placed in enumerate(learnwares):
            rows[position] = placed.row
        rows.setflags(write=False)
        vectors = faiss.IndexFlatL2(min(width, SHORT))
        vectors.add(_shortened(rows))
        return cls(
            shelf=Shelf.of([placed.entry for placed in learnwares]),
            # The rows that learnwares had before are let go.
            learnwares=tuple(Placed(one.entry, row, one.norm) for one, row in zip(learnwares, rows, strict=True)),
            rows=rows,
            short=faiss.rev_swig_ptr(vectors.get_xb(), vectors.ntotal * vectors.d).reshape(-1, vectors.d),
            vectors=vectors,
        )

    def __len__(self) -> int:
        return len(self.learnwares)

    def nearest(self, query: NDArray[np.float64], admitted: Bitmap) -> Iterator[Reach]:
        """Reach ever farther from a query [D + 1] among the admitted; each learnware comes once."""
        count = int(np.count_nonzero(admitted))
        if count < _DIRECT_BELOW:
            yield self._bounded(np.flatnonzero(admitted), query, np.inf)
        else:
            yield from self._nearest_by_index(query, admitted, count)

    def along(self, direction: NDArray[np.float64], admitted: Bitmap, count: int) -> list[tuple[float, Placed]]:
        """The `count` admitted whose first coordinates of e reach farthest along a direction [D], each with how far."""
        reach = self.short @ _shortened(np.append(direction, 0.0).astype(np.float32)[None, :])[0]
        reach[~admitted] = -np.inf
        found = _largest(reach, min(count, int(np.count_nonzero(admitted))))
        return [(float(reach[position]), self.learnwares[position]) for position in found]

    def _bounded(self, positions: NDArray[np.int64], query: NDArray[np.float64], horizon: float) -> Reach:
        bounds = lower_bounds(self.rows[positions], query)
        order = np.argsort(bounds, kind="stable")
        return Reach(positions[order], bounds[order], horizon)

    def _nearest_by_index(self, query: NDArray[np.float64], admitted: Bitmap, count: int) -> Iterator[Reach]:
        target = _shortened(query.astype(np.float32)[None, :])
        parameters = _selecting(admitted) if count < len(self) else None
        seen, held, most = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), _FIRST
        while len(seen) < count:
            distances, found = self.vectors.search(target, min(most, count), params=parameters)
            fresh = np.setdiff1d(found[0], seen)  # equal bounds may change places between two calls
            seen, most = np.concatenate([seen, fresh]), most * _GROWTH
            horizon = np.inf if len(seen) == count else float(distances[0, -1])
            reach = self._bounded(np.concatenate([held, fresh]), query, horizon)
            within = int(np.searchsorted(reach.bounds, horizon, side="right"))
            held = reach.positions[within:]  # something not yet seen may be nearer than these
            yield Reach(reach.positions[:within], reach.bounds[:within], horizon)


def _shortened(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    if rows.shape[1] <= SHORT:
        return rows
    return np.concatenate([rows[:, : SHORT - 1], rows[:, -1:]], axis=1)


def _selecting(admitted: Bitmap) -> faiss.SearchParameters:
    bits = np.packbits(admitted, bitorder="little")
    # FAISS patches its constructors at import, which its stubs do not tell.
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Positions of the `count` largest values, in no order.

    They lie in the `count` groups whose largest values are largest, so only those need be looked through.
    """
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    positions = np.arange(len(values))
    if len(values) > 4 * count * _GROUP:
        tops = np.maximum.reduceat(values, np.arange(0, len(values), _GROUP))
        groups = np.argpartition(-tops, count - 1)[:count]
        positions = (groups[:, None] * _GROUP + np.arange(_GROUP)).ravel()
        positions = positions[positions < len(values)]
    return positions[np.argpartition(-values[positions], count - 1)[:count]]
