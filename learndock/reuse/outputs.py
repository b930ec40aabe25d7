"""What models give back: kinds of output, and class sets brought into one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace, SemanticSpecification

# Rows of probabilities may miss a sum of 1 by this much, as float16 models do.
_SUM_TOLERANCE = 1e-2


class OutputKind(StrEnum):
    """How a model answers."""

    VALUES = "VALUES"
    """Numbers: regression, features, anything that is not a class."""
    LABELS = "LABELS"
    """One class index per row, counted from 0."""
    PROBABILITIES = "PROBABILITIES"
    """One number per row and class."""


class OutputInvalid(ValueError):
    """A model's output is not what its task and its input call for."""


def check_output(output: object, row_count: int) -> NDArray[np.generic]:
    """The output as an array of finite numbers with `row_count` rows.

    Raises
    ------
    OutputInvalid
        It is something else.
    """
    array = np.asarray(output)
    if array.ndim == 0 or len(array) != row_count:
        raise OutputInvalid(f"gave {array.shape} for {row_count} rows")
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_):
        raise OutputInvalid(f"gave {array.dtype}, not numbers")
    if not np.isfinite(array).all():
        raise OutputInvalid("gave NaN or infinity")
    return array


def kind_of(semantic: SemanticSpecification, output: NDArray[np.generic]) -> OutputKind:
    """Kind of an output [n], [n, 1] or [n, c].

    Raises
    ------
    OutputInvalid
        A classifier gave labels that are not class indices, or another number of classes than it declares.
    """
    if semantic.task != "Classification":
        return OutputKind.VALUES
    declared = semantic.output.dimension if semantic.output else 0
    if output.ndim == 2 and output.shape[1] > 1:
        if declared and output.shape[1] != declared:
            raise OutputInvalid(f"gave {output.shape[1]} classes where {declared} are declared")
        return OutputKind.PROBABILITIES
    if output.size != len(output):
        raise OutputInvalid(f"gave {output.shape}, neither labels nor class probabilities")
    _check_labels(output.reshape(-1), declared)
    return OutputKind.LABELS


def _check_labels(labels: NDArray[np.generic], declared: int) -> None:
    indices = labels.astype(np.float64)
    if (indices != np.floor(indices)).any() or (indices < 0).any() or (declared and (indices >= declared).any()):
        raise OutputInvalid(f"gave labels outside of 0..{declared - 1 if declared else ''}")


def as_probabilities(output: NDArray[np.generic]) -> NDArray[np.float64]:
    """Class probabilities, float64 [n, c], of probabilities or of scores (logits), which go through a softmax."""
    scores = np.asarray(output, dtype=np.float64)
    if (scores >= 0).all() and (np.abs(scores.sum(axis=1) - 1) <= _SUM_TOLERANCE).all():
        return scores
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))


def one_hot(labels: NDArray[np.generic], class_count: int) -> NDArray[np.float64]:
    """Probabilities, float64 [n, class_count], that are sure of their labels [n] or [n, 1]."""
    indices = labels.reshape(-1).astype(np.intp)
    hot = np.zeros((len(indices), class_count))
    hot[np.arange(len(indices)), indices] = 1.0
    return hot


def labels_of(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Most probable class of each row, int64 [n]; the smaller index where two are equal."""
    return np.asarray(probabilities.argmax(axis=1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ClassSet:
    """The classes that several members tell apart, in one order.

    Attributes
    ----------
    size
        Number of classes; 0 when no member declares any.
    positions
        For each member, where its own classes stand in the common order.
    """

    size: int
    positions: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(cls, spaces: Sequence[FeatureSpace | None]) -> ClassSet:
        """Common classes of output spaces.

        Classes are the same where they bear the same name, when every member names all of its classes and each shares
        a name with the first member, or with others that do; the first member's order comes first. Otherwise a class is
        known by its index.
        """
        names = [names_of(space) for space in spaces]
        if not _chained(names):
            sizes = [space.dimension if space else 0 for space in spaces]
            return cls(max(sizes, default=0), tuple(np.arange(size, dtype=np.intp) for size in sizes))
        common = {name: position for position, name in enumerate(dict.fromkeys(n for known in names for n in known))}
        return cls(len(common), tuple(np.array([common[n] for n in known], dtype=np.intp) for known in names))

    def spread(self, member: int, output: NDArray[np.generic], kind: OutputKind) -> NDArray[np.float64]:
        """A member's labels or probabilities as probabilities, float64 [n, c], in the common order."""
        positions = self.positions[member]
        if kind is OutputKind.LABELS:
            own = one_hot(output, max(len(positions), int(output.max(initial=0)) + 1))
        else:
            own = as_probabilities(output)
        if not len(positions):  # no classes declared: known by index
            positions = np.arange(own.shape[1], dtype=np.intp)
        common = np.zeros((len(own), max(self.size, own.shape[1])))
        common[:, positions] = own
        return common


def _chained(names: Sequence[Sequence[str]]) -> bool:
    """Whether all are linked to the first by names that they share."""
    linked, left = set(names[0]), list(names[1:])
    while near := [known for known in left if linked & set(known)]:
        linked.update(*near)
        left = [known for known in left if not linked & set(known)]
    return bool(linked) and not left


def names_of(space: FeatureSpace | None) -> list[str]:
    """Names of all classes or columns, in order; empty unless every one has a name and no two are the same."""
    if space is None:
        return []
    known = [space.descriptions.get(position, "").strip().casefold() for position in range(space.dimension)]
    return known if all(known) and len(set(known)) == len(known) else []
