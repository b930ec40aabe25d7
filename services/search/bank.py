"""Banks: learnwares with their vectors, fixed once made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from services.search.catalogue import Bitmap, Shelf
from services.search.cells import LEAST, Cells
from services.search.embedding import lower_bounds
from services.search.entry import Placed

# When fewer learnwares are admitted, all their bounds are computed at once instead of asking FAISS.
_DIRECT_BELOW = 1024
# The nearest that FAISS is asked for first, and where a bank holds many, whose proofs take more of them.
_FIRST, _FIRST_OF_MANY = 128, 256
_MANY = 2**15
# How many of them are scored at a time until one knows how far to look.
_GUESSED = 8
# Numbers of a vector that FAISS searches: the first principal coordinates and the left-over.
SHORT = 64


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

    def within(self, horizon: float) -> Reach:
        """Those whose bounds are no larger than a horizon."""
        count = int(np.searchsorted(self.bounds, horizon, side="right"))
        return Reach(self.positions[:count], self.bounds[:count], horizon)

    def beyond(self, start: int, end: int) -> Reach:
        """Some that lie beyond the horizon, each with that for its bound: others that do may be nearer."""
        positions = self.positions[start:end]
        return Reach(positions, np.full(len(positions), self.horizon), self.horizon)


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
    cells
        The vectors e in cells, for looks along a direction; None where they are few or nobody looks that way.
    """

    shelf: Shelf
    learnwares: tuple[Placed, ...]
    rows: NDArray[np.float32]
    short: NDArray[np.float32]
    vectors: faiss.IndexFlatL2
    cells: Cells | None

    @classmethod
    def of(cls, learnwares: Sequence[Placed], width: int, *, in_cells: bool = False) -> Bank:
        """Bank of learnwares whose embeddings have `width` numbers; `in_cells` if mixtures are made of it for long."""
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
            cells=Cells.of(np.ascontiguousarray(rows[:, :-1])) if in_cells and len(rows) >= LEAST else None,
        )

    def __len__(self) -> int:
        return len(self.learnwares)

    def nearest(self, query: NDArray[np.float64], admitted: Bitmap, farthest: Callable[[], float]) -> Iterator[Reach]:
        """Reach ever farther from a query [D + 1] among the admitted; each learnware comes once.

        Parameters
        ----------
        query
            Where to begin.
        admitted
            Who may come.
        farthest
            The largest bound that still matters, asked once the nearest have come; what lies beyond may be left out.
        """
        if np.count_nonzero(admitted) < _DIRECT_BELOW:
            yield self._bounded(np.flatnonzero(admitted), query, np.inf)
        else:
            yield from self._nearest_by_index(query, admitted, farthest)

    def along(self, directions: NDArray[np.float64], admitted: Bitmap, count: int) -> list[Placed]:
        """Those of the admitted that reach farthest along each direction [m, D], nearly: `count` for each."""
        admitted_count = int(np.count_nonzero(admitted))
        if admitted_count == 0:
            return []
        sought, wanted = directions.astype(np.float32), min(count, admitted_count)
        if admitted_count >= LEAST and self.cells is not None:
            selected = admitted if admitted_count < len(self) else None
            positions = self.cells.along(sought, selected, admitted_count, wanted)
        else:
            among = np.flatnonzero(admitted)
            positions = among[np.unique(np.argpartition(-self._reach(sought, among), wanted - 1)[:, :wanted])]
        return [self.learnwares[position] for position in positions.tolist()]

    def _reach(self, directions: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """How far learnwares reach along directions, by the first coordinates where they are many, float32 [m, n]."""
        everybody = len(positions) == len(self)
        if len(positions) < LEAST:
            return np.asarray(directions @ (self.rows if everybody else self.rows[positions])[:, :-1].T)
        first = self.short.shape[1] - 1
        return np.asarray(directions[:, :first] @ (self.short if everybody else self.short[positions])[:, :-1].T)

    def _bounded(self, positions: NDArray[np.int64], query: NDArray[np.float64], horizon: float) -> Reach:
        """A few in the order of their bounds."""
        bounds = lower_bounds(self.rows[positions], query)
        order = np.argsort(bounds, kind="stable")
        return Reach(positions[order], bounds[order], horizon)

    def _nearest_by_index(
        self, query: NDArray[np.float64], admitted: Bitmap, farthest: Callable[[], float]
    ) -> Iterator[Reach]:
        target = _shortened(query.astype(np.float32)[None, :])
        parameters = _selecting(admitted) if not admitted.all() else None
        first = _FIRST_OF_MANY if len(self) >= _MANY else _FIRST
        distances, found = self.vectors.search(target, first, params=parameters)
        near = self._bounded(found[0], query, float(distances[0, -1]))
        surely_next = near.within(near.horizon)
        yield surely_next
        come, radius = len(surely_next.positions), farthest()
        while radius == np.inf and come < first:  # the distances of some tell how far to look
            yield near.beyond(come, come + _GUESSED)
            come, radius = come + _GUESSED, farthest()
        if radius < np.inf:
            others = self.vectors.range_search(target, radius, params=parameters)[2]
        else:
            others = np.flatnonzero(admitted)
        left = np.setdiff1d(others, near.positions[:come], assume_unique=True)
        yield self._bounded(left, query, radius).within(radius)


def _shortened(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    if rows.shape[1] <= SHORT:
        return rows
    return np.concatenate([rows[:, : SHORT - 1], rows[:, -1:]], axis=1)


def _selecting(admitted: Bitmap) -> faiss.SearchParameters:
    bits = np.packbits(admitted, bitorder="little")
    # FAISS patches its constructors at import, which its stubs do not tell.
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg,arg-type]
