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
_DIRECT_BELOW = 4096
_FIRST = 64
_GROWTH = 4


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
    vectors
        FAISS index over `rows`.
    """

    shelf: Shelf
    learnwares: tuple[Placed, ...]
    rows: NDArray[np.float32]
    vectors: faiss.IndexFlatL2

    @classmethod
    def of(cls, learnwares: Sequence[Placed], width: int) -> Bank:
        """Bank of learnwares whose embeddings have `width` numbers."""
        rows = np.zeros((len(learnwares), width), dtype=np.float32)
        for position, placed in enumerate(learnwares):
            rows[position] = placed.row
        vectors = faiss.IndexFlatL2(width)
        vectors.add(rows)
        return cls(Shelf.of([placed.entry for placed in learnwares]), tuple(learnwares), rows, vectors)

    def __len__(self) -> int:
        return len(self.learnwares)

    def nearest(self, query: NDArray[np.float64], admitted: Bitmap) -> Iterator[Reach]:
        """Reach ever farther from a query [D + 1] among the admitted; each learnware comes once."""
        positions = np.flatnonzero(admitted)
        if len(positions) < _DIRECT_BELOW:
            bounds = lower_bounds(self.rows[positions], query)
            order = np.argsort(bounds, kind="stable")
            yield Reach(positions[order], bounds[order], np.inf)
        else:
            yield from self._nearest_by_index(query, admitted, len(positions))

    def along(self, direction: NDArray[np.float64], admitted: Bitmap, count: int) -> list[tuple[float, Placed]]:
        """The `count` admitted whose embeddings e reach farthest along a direction [D], each with how far."""
        reach = self.rows @ np.append(direction, 0.0).astype(np.float32)
        reach[~admitted] = -np.inf
        most = min(count, int(admitted.sum()))
        found = np.argpartition(-reach, most - 1)[:most] if most else np.zeros(0, dtype=np.int64)
        return [(float(reach[position]), self.learnwares[position]) for position in found]

    def _nearest_by_index(self, query: NDArray[np.float64], admitted: Bitmap, count: int) -> Iterator[Reach]:
        bits = np.packbits(admitted, bitorder="little")
        # FAISS patches its constructors at import, which its stubs do not tell.
        parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]
        target = query.astype(np.float32)[None, :]
        seen, most = np.zeros(0, dtype=np.int64), _FIRST
        while len(seen) < count:
            distances, found = self.vectors.search(target, min(most, count), params=parameters)
            positions, bounds = found[0], distances[0].astype(np.float64)
            fresh = ~np.isin(positions, seen)  # equal bounds may change places between two calls
            horizon = np.inf if len(positions) == count else float(bounds[-1])
            yield Reach(positions[fresh], bounds[fresh], horizon)
            seen, most = np.concatenate([seen, positions[fresh]]), most * _GROWTH
