"""The statistical specification as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, Modality

_Number = TypeVar("_Number", bound=np.generic)

MAX_ATOMS = 1024
MAX_DIMENSION = 16_384
MAX_NUMBERS = 4_194_304
MAX_MAGNITUDE = 1e6
WEIGHT_TOLERANCE = 1e-4
MAX_MEMBERSHIP_AUC = 0.6
"""More than this, and a nearest-atom attack tells members from others too well."""
# Weights whose sum is 1 up to rounding are left as they are: a specification that is sent or written stays the same.
_WEIGHT_ROUNDING = 1e-12


@dataclass(frozen=True)
class Fidelity:
    """How near a specification is to the data that it was made of.

    Attributes
    ----------
    mmd2
        Squared maximum mean discrepancy to all rows, in the Gaussian kernel exp(-gamma |x-y|^2) on robustly
        scaled columns.
    gamma
        That kernel's parameter. A fact about the builder, never used to rank.
    """

    mmd2: float
    gamma: float


@dataclass(frozen=True)
class PrivacyReport:
    """What a specification gives away about single rows.

    Attributes
    ----------
    min_distance_ratio
        Smallest atom-to-row distance over the median nearest-neighbour distance among rows; the rows on which a shared
        atom lies do not count.
    min_rows_per_atom
        Fewest rows that one atom stands for.
    membership_auc
        Area under the curve of a nearest-atom membership attack; 0.5 gives nothing away, None when not
        measured.
    perturbed_atoms
        Atoms that were moved away from a row before publication.
    shared_atoms
        Atoms that lie on a point which at least 5 rows share, and which is therefore no secret of one of them.
    """

    min_distance_ratio: float
    min_rows_per_atom: int
    membership_auc: float | None = None
    perturbed_atoms: int = 0
    shared_atoms: int = 0

    @property
    def at_risk(self) -> bool:
        """Whether the membership attack succeeds more often than is tolerated."""
        return self.membership_auc is not None and self.membership_auc > MAX_MEMBERSHIP_AUC


@dataclass(frozen=True, eq=False)
class Specification:
    """A reduced kernel mean embedding: weighted atoms that stand for a distribution of inputs.

    Attributes
    ----------
    atoms
        float32 [K, d], in the units of the (encoded) data.
    weights
        float64 [K], non-negative, summing to 1.
    modality
        What the rows were before encoding.
    encoder
        Name of the encoder that made the vectors; empty for tables.
    encoder_revision
        Its revision; empty for tables.
    row_count
        Rows that were summarised; 0 when unknown.
    item_shape
        Shape of one input item, with product d.
    input
        Meaning of the columns, where it is known.
    languages
        Languages of a text, ISO 639-1.
    fidelity
        Fidelity, where it was measured.
    privacy
        Privacy, where it was measured.

    Raises
    ------
    InvalidInput
        A bound is broken; the error names the field.
    """

    atoms: NDArray[np.float32]
    weights: NDArray[np.float64]
    modality: Modality = Modality.TABLE
    encoder: str = ""
    encoder_revision: str = ""
    row_count: int = 0
    item_shape: tuple[int, ...] = ()
    input: FeatureSpace | None = None
    languages: tuple[str, ...] = ()
    fidelity: Fidelity | None = None
    privacy: PrivacyReport | None = None

    def __post_init__(self) -> None:
        atoms = _checked_atoms(np.asarray(self.atoms))
        weights = _checked_weights(np.asarray(self.weights), len(atoms))
        item_shape = tuple(self.item_shape) or (atoms.shape[1],)
        if int(np.prod(item_shape)) != atoms.shape[1]:
            raise InvalidInput(
                Reason.SHAPE_MISMATCH,
                f"item_shape {item_shape} does not hold {atoms.shape[1]} numbers.",
                field="specification.item_shape",
            )
        object.__setattr__(self, "atoms", atoms)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "item_shape", item_shape)

    @property
    def atom_count(self) -> int:
        """Number of atoms, K."""
        return int(self.atoms.shape[0])

    @property
    def dimension(self) -> int:
        """Dimension of the atoms, d."""
        return int(self.atoms.shape[1])

    def with_input(self, feature_space: FeatureSpace | None) -> Specification:
        """The same specification with described columns."""
        return replace(self, input=feature_space)


def _checked_atoms(atoms: NDArray[np.generic]) -> NDArray[np.float32]:
    field = "specification.atoms"
    if atoms.ndim != 2 or not np.issubdtype(atoms.dtype, np.number):
        raise InvalidInput(Reason.SHAPE_MISMATCH, f"Atoms must be numbers [K, d], not {atoms.shape}.", field=field)
    count, dimension = atoms.shape
    if not 1 <= count <= MAX_ATOMS:
        raise InvalidInput(Reason.FIELD_INVALID, f"There must be 1 to {MAX_ATOMS} atoms, not {count}.", field=field)
    if not 1 <= dimension <= MAX_DIMENSION or count * dimension > MAX_NUMBERS:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"Atoms must have 1 to {MAX_DIMENSION} dimensions and {MAX_NUMBERS} numbers at most,"
            f" not {count} x {dimension}.",
            field=field,
        )
    # Checked before the cast: a float64 value beyond float32 would become infinite.
    if not np.isfinite(atoms).all():
        raise InvalidInput(Reason.NOT_FINITE, "An atom holds NaN or infinity.", field=field)
    if np.abs(atoms).max() > MAX_MAGNITUDE:
        raise InvalidInput(Reason.FIELD_INVALID, f"An atom exceeds {MAX_MAGNITUDE:g} in magnitude.", field=field)
    return _frozen(np.ascontiguousarray(atoms, dtype=np.float32))


def _checked_weights(weights: NDArray[np.generic], count: int) -> NDArray[np.float64]:
    field = "specification.weights"
    if weights.shape != (count,) or not np.issubdtype(weights.dtype, np.number):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"There must be one weight for each of {count} atoms, not {weights.shape}.",
            field=field,
        )
    numbers = weights.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise InvalidInput(Reason.NOT_FINITE, "A weight is NaN or infinite.", field=field)
    if (numbers < 0).any():
        raise InvalidInput(Reason.FIELD_INVALID, "A weight is negative.", field=field)
    total = numbers.sum()
    if abs(total - 1) > WEIGHT_TOLERANCE:
        raise InvalidInput(Reason.FIELD_INVALID, f"Weights must sum to 1, not {total:.6g}.", field=field)
    return _frozen(numbers if abs(total - 1) <= _WEIGHT_ROUNDING else numbers / total)


def _frozen(array: NDArray[_Number]) -> NDArray[_Number]:
    array = array.copy() if not array.flags.owndata else array
    array.setflags(write=False)
    return array
