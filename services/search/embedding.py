"""Short vectors that bound the distance of two specifications from below.

With e the projection of a mean embedding on the span of the profile's landmarks, in orthonormal coordinates, and r the
length of what is left over,

    |e_a - e_q|^2 + (r_a - r_q)^2  <=  MMD2(a, q)

because a projection never lengthens and the left-overs obey the triangle inequality. The left side is the plain squared
distance of the vectors [e, r]. Source of the projection: Williams and Seeger, Using the Nystrom method to speed up
kernel machines, NIPS 13 (2000).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learndock.rkme.kernel import facing, widened
from services.search.entry import Entry, Placed
from services.search.packs import WeightedAtoms
from services.search.profile import MAX_LANDMARKS, Profile

# Vectors compared at a time: what lies between is 250 KB then.
_BLOCK = 256
# More than single precision can lose of a sum of so many squares, whatever the order; Higham, Accuracy and Stability of
# Numerical Algorithms, 2nd ed., section 3.1.
_ROUNDING = (MAX_LANDMARKS + 4) * 2.0**-23


def embed(profile: Profile, specification: WeightedAtoms) -> tuple[NDArray[np.float64], float]:
    """The vector [e, r], float64 [D' + 1], and |mu|^2 of a specification; O(K (K + D) d)."""
    atoms = profile.scaler.transform(specification.atoms)
    weights = specification.weights
    origin = weights @ atoms
    rows = widened(atoms, origin)
    columns = facing(rows)
    e = profile.kernel.sums(widened(profile.landmarks, origin), columns, weights) @ profile.projection
    norm = float(weights @ profile.kernel.sums(rows, columns, weights))
    left_over = np.sqrt(max(0.0, norm - float(e @ e)))
    return np.append(e, left_over), norm


def place(profile: Profile, entry: Entry) -> Placed:
    """An entry that has a specification, with its coordinates."""
    if entry.specification is None:
        raise ValueError(f"Learnware {entry.learnware_id} has no statistical specification.")
    row, norm = embed(profile, entry.specification)
    return Placed(entry, row.astype(np.float32), norm)


def lower_bounds(rows: NDArray[np.float32], query: NDArray[np.floating]) -> NDArray[np.float64]:
    """Lower bounds of the MMD2 of vectors [n, D' + 1] to a query [D' + 1], up to how the vectors are rounded."""
    target = query.astype(np.float32)
    blocks = [_lower_bounds(rows[start : start + _BLOCK], target) for start in range(0, len(rows), _BLOCK)]
    return np.concatenate([np.zeros(0), *blocks])


def _lower_bounds(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    differences = rows - query
    return np.asarray(np.vecdot(differences, differences) * (1.0 - _ROUNDING), dtype=np.float64)
