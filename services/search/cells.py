"""Vectors in cells, so that those that reach farthest along a direction are found without a look at all of them.

A mixture takes a dozen such looks, each along what is still missing of the task, and a look at a million whole vectors
takes 100 ms. What the cells miss costs a mixture a little; answers that are certified never come from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

# Fewer vectors are looked at one by one.
LEAST = 2048
# Cells that are looked into, of at most so many.
_PROBED = 16
_MOST_CELLS = 1024
# Vectors for each cell from which the cells are found, and how often they are moved.
_SAMPLED = 40
_ROUNDS = 8
# Whether codes are of what is left of a vector beside its cell's centre, instead of the vector itself.
_RESIDUAL = False
# Cells are told apart by this many coordinates: those in which vectors vary most.
_TOLD_APART = 63


@dataclass(frozen=True, eq=False)
class Cells:
    """Vectors in cells, each coordinate in eight bits. Immutable.

    Attributes
    ----------
    vectors
        FAISS index of them.
    count
        Number of vectors, n.
    cells
        Number of cells.
    """

    vectors: faiss.IndexIVFScalarQuantizer
    count: int
    cells: int

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Cells:
        """Cells of vectors [n, D], n being at least `LEAST`; the same vectors make the same cells. O(n D)."""
        cells = min(_MOST_CELLS, int(4 * len(vectors) ** 0.5))
        assigned = _assigned(np.ascontiguousarray(vectors[:, :_TOLD_APART]), cells)
        centres = faiss.IndexFlatIP(vectors.shape[1])
        centres.add(_means(vectors, assigned, cells))
        index = faiss.IndexIVFScalarQuantizer(
            centres,
            vectors.shape[1],
            cells,
            faiss.ScalarQuantizer.QT_8bit,
            faiss.METRIC_INNER_PRODUCT,
            _RESIDUAL,
        )
        index.train(vectors)
        pointers = faiss.swig_ptr(vectors), faiss.swig_ptr(assigned)
        index.add_core(len(vectors), pointers[0], None, pointers[1])
        return cls(index, len(vectors), cells)

    def along(
        self, directions: NDArray[np.float32], admitted: NDArray[np.bool_] | None, admitted_count: int, count: int
    ) -> NDArray[np.int64]:
        """Positions of vectors that reach farthest along directions [m, D], nearly: `count` for each, or fewer.

        Parameters
        ----------
        directions
            The directions.
        admitted
            Which vectors may be found, bool [n]; None for all.
        admitted_count
            How many these are.
        count
            How many are wanted.
        """
        # FAISS patches its constructors at import, which its stubs do not tell.
        probed = min(self.cells, _PROBED * self.count // max(1, admitted_count))
        selector = faiss.IDSelectorBitmap(np.packbits(admitted, bitorder="little")) if admitted is not None else None  # type: ignore[call-arg,arg-type]
        parameters = faiss.SearchParametersIVF(nprobe=probed, sel=selector)  # type: ignore[call-arg]
        found = np.unique(self.vectors.search(directions, count, params=parameters)[1])
        return np.asarray(found[found >= 0], dtype=np.int64)


def _assigned(vectors: NDArray[np.float32], cells: int) -> NDArray[np.int64]:
    """The cell of each vector [n, d]."""
    kmeans = faiss.Kmeans(
        vectors.shape[1],
        cells,
        niter=_ROUNDS,
        seed=1,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLED,
        verbose=False,
    )
    kmeans.train(vectors)
    return np.ascontiguousarray(kmeans.assign(vectors)[1], dtype=np.int64)


def _means(vectors: NDArray[np.float32], assigned: NDArray[np.int64], cells: int) -> NDArray[np.float32]:
    """Mean vector of each cell, [cells, D]; nought for an empty one."""
    order = np.argsort(assigned, kind="stable")
    counts = np.bincount(assigned, minlength=cells)
    means = np.zeros((cells, vectors.shape[1]), dtype=np.float32)
    for cell, members in enumerate(np.split(order, np.cumsum(counts)[:-1])):
        if len(members):
            means[cell] = vectors[members].mean(axis=0)
    return means
