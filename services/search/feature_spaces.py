"""Learnwares of tables by what their columns are: a task of other columns is matched with each kind once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from learndock.learnware import FeatureSpace, Modality
from learndock.schema.assignment import Assignment
from learndock.schema.comparison import share_of
from learndock.schema.in_place import share_in_place
from learndock.schema.matching import assign
from learndock.schema.schema import Encode, Schema
from services.search.catalogue import Admission, Bitmap, described
from services.search.entry import Placed
from services.search.index import DockIndex, IslandIndex

# So many feature spaces, those whose columns are likest to the task's, are matched column by column.
_MOST_MATCHED = 50
# Less in common than this, and a match of columns is an accident.
LEAST_SHARED = 0.25
# Of so many descriptions of columns a question reads the meaning; the rest is taken for the task's own.
_MOST_READ = 500
# With fewer of the described columns the same, in their places, it is another feature space.
_LEAST_IN_PLACE = 0.5
# Learnwares whose values stand for those of their feature space.
_SAMPLED = 10


class SameSpace:
    """Tells which learnwares of an island have the task's own columns, as far as both sides describe them.

    Columns that mean others, lie in other places or count in other units make another feature space, whatever its
    dimension. Where one side says nothing, or nothing can be told, nothing is held against a learnware.

    Parameters
    ----------
    space
        What the task's columns are.
    encode
        Texts to vectors.
    """

    def __init__(self, space: FeatureSpace, encode: Encode) -> None:
        self._space = space
        self._encode = encode
        self._known: dict[Hashable, bool] = {None: True}

    def __call__(self, columns: Hashable) -> bool:
        """Whether columns described so, a value of the facet ``columns``, are the task's."""
        if columns not in self._known:
            self._known[columns] = len(self._known) > _MOST_READ or self._is_same(columns)
        return self._known[columns]

    def _is_same(self, columns: Hashable) -> bool:
        assert isinstance(columns, tuple)  # noqa: S101  # as the facet has it
        share = share_in_place(self._space, FeatureSpace(self._space.dimension, dict(columns)), self._encode)
        return share is None or share >= _LEAST_IN_PLACE


@dataclass(frozen=True, eq=False)
class Kind:
    """Learnwares whose columns are described in the same words.

    Attributes
    ----------
    space
        What the columns are.
    columns
        The same, as a value of the facet ``columns``.
    learnwares
        Those that are admitted, at least one.
    """

    space: FeatureSpace
    columns: Hashable
    learnwares: Sequence[Placed]

    def schema(self, encode: Encode) -> Schema | None:
        """Its columns, with values as its learnwares have them."""
        some = [placed.specification for placed in self.learnwares[:_SAMPLED]]
        weights = np.concatenate([one.weights for one in some]) / len(some)
        return Schema.of(self.space, np.concatenate([one.atoms for one in some]), weights, encode)


def kinds(index: DockIndex, admission: Admission) -> Iterator[Kind]:
    """The admitted learnwares of tables that say what their columns are, by what they say."""
    for island in index.islands.values():
        if island.key.modality is Modality.TABLE:
            yield from _kinds_of(island, admission)


def _kinds_of(island: IslandIndex, admission: Admission) -> Iterator[Kind]:
    found: dict[Hashable, list[Placed]] = {}
    for bank, admitted in zip((island.large, island.small), island.admitted(admission), strict=True):
        facet = bank.shelf.facets["columns"]
        told: Bitmap = np.array([value is not None for value in facet.values], dtype=bool)
        for position in np.flatnonzero(admitted & told[facet.codes]):
            found.setdefault(facet.values[facet.codes[position]], []).append(bank.learnwares[position])
    for columns, learnwares in found.items():
        space = described(learnwares[0].entry)
        if space is not None:
            yield Kind(space, columns, sorted(learnwares, key=lambda placed: placed.entry.learnware_id))


def matched(task: Schema, candidates: Sequence[Kind], encode: Encode) -> list[tuple[Kind, Assignment]]:
    """Those kinds that share enough of the task's columns, with how; those that share most first."""
    schemas = [(kind, schema) for kind in candidates if (schema := kind.schema(encode)) is not None]
    schemas.sort(key=lambda pair: -_likeness(task, pair[1]))
    assigned = [(kind, assign(task, schema)) for kind, schema in schemas[:_MOST_MATCHED]]
    assigned = [pair for pair in assigned if share_of(pair[1]) >= LEAST_SHARED]
    return sorted(assigned, key=lambda pair: -share_of(pair[1]))


def _likeness(task: Schema, other: Schema) -> float:
    """Sum over the task's columns of the greatest cosine with one of the other's: quick, and seldom far off."""
    return float((task.vectors @ other.vectors.T).max(axis=1).sum())
