"""The semantic side: which learnwares a filter admits and a caller may see, as bitmaps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learndock.account import Principal
from learndock.learnware import FeatureSpace, FormatClass, Modality, SemanticFilter
from services.search.entry import Entry

Bitmap = NDArray[np.bool_]

_Value = TypeVar("_Value", bound=Hashable)


@dataclass(frozen=True, eq=False)
class Facet:
    """One property of many learnwares, each distinct value kept once.

    Attributes
    ----------
    values
        The distinct values.
    codes
        Index into `values` of each learnware, int32 [n].
    """

    values: tuple[Hashable, ...]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, values: Sequence[_Value]) -> Facet:
        """Facet of one value for each learnware."""
        numbers: dict[_Value, int] = {}
        codes = np.fromiter((numbers.setdefault(value, len(numbers)) for value in values), np.int32, len(values))
        return cls(tuple(numbers), codes)

    def where(self, admitted: Callable[[Hashable], bool]) -> Bitmap:
        """Learnwares whose value is admitted."""
        wanted = np.array([admitted(value) for value in self.values], dtype=bool)
        return np.ones(len(self.codes), dtype=bool) if wanted.all() else wanted[self.codes]


@dataclass(frozen=True, eq=False)
class Shelf:
    """Learnwares in a fixed order, with what filters ask about. Immutable.

    Attributes
    ----------
    entries
        The learnwares.
    positions
        Index of each by its id.
    facets
        Their properties by name.
    sequences
        `Entry.sequence` of each, int64 [n].
    """

    entries: tuple[Entry, ...]
    positions: Mapping[str, int]
    facets: Mapping[str, Facet]
    sequences: NDArray[np.int64]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Shelf:
        """Shelf of entries."""
        return cls(
            entries=tuple(entries),
            positions={entry.learnware_id: position for position, entry in enumerate(entries)},
            facets={name: Facet.of([read(entry) for entry in entries]) for name, read in _FACETS.items()},
            sequences=np.array([entry.sequence for entry in entries], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.entries)

    def at(self, learnware_ids: Collection[str]) -> Bitmap:
        """The learnwares with these ids."""
        bitmap = np.zeros(len(self), dtype=bool)
        bitmap[[self.positions[name] for name in learnware_ids if name in self.positions]] = True
        return bitmap

    def visible(self, caller: Principal) -> Bitmap:
        """The learnwares that the caller may know of."""
        return self.facets["private_owner"].where(
            lambda owner: owner is None or caller.may_see(str(owner), private=True)
        )

    def comparable(self, admission: Admission) -> Bitmap:
        """The learnwares that the caller may know of and whose columns are the task's."""
        bitmap = self.visible(admission.caller)
        return bitmap if admission.same_space is None else bitmap & self.facets["columns"].where(admission.same_space)

    def alike(self, entry: Entry) -> Bitmap:
        """The learnwares whose answers can be mixed with those of `entry`."""
        return self.facets["answer"].where(frozenset([entry.answer]).__contains__)

    def admitted(self, admission: Admission) -> Bitmap:
        """The learnwares that the caller may know of and that the filter admits."""
        filter_ = admission.filter
        bitmap = self.comparable(admission)
        for name, wanted in _wanted(filter_).items():
            bitmap &= self.facets[name].where(frozenset(wanted).__contains__)
        if filter_.scenarios:
            bitmap &= self.facets["scenario"].where(_any_of(filter_.scenarios))
        for name, texts in (("inputs", filter_.inputs), ("outputs", filter_.outputs)):
            if texts:
                bitmap &= self.facets[name].where(_describing(texts))
        if filter_.learnware_ids:
            bitmap &= self.at(filter_.learnware_ids)
        if admission.excluded:
            bitmap &= ~self.at(admission.excluded)
        if admission.worded is not None:
            bitmap &= np.isin(self.sequences, admission.worded)
        return bitmap


@dataclass(frozen=True, eq=False)
class Admission:
    """Who asks for which learnwares.

    Attributes
    ----------
    caller
        Who asks.
    filter
        What the learnwares must be.
    excluded
        Ids to leave out.
    worded
        Sequences of the entries that contain the filter's words, int64; None where the filter has no words.
    same_space
        Whether columns described so, a value of the facet ``columns``, are the task's; None where the task says nothing
        of its own.
    """

    caller: Principal
    filter: SemanticFilter = field(default_factory=SemanticFilter)
    excluded: frozenset[str] = frozenset()
    worded: NDArray[np.int64] | None = None
    same_space: Callable[[Hashable], bool] | None = None


def _private_owner(entry: Entry) -> str | None:
    return entry.learnware.owner_id if entry.private else None


def _described(space: FeatureSpace | None) -> tuple[str, ...]:
    """What is said of the parts of a space, each once."""
    return tuple(sorted({text.casefold() for text in space.descriptions.values()})) if space is not None else ()


def _format_class(entry: Entry) -> FormatClass | None:
    return entry.learnware.current_version.format_class


def described(entry: Entry) -> FeatureSpace | None:
    """What the columns of a learnware's table are; None where it says nothing of them or has no specification."""
    space, key = entry.learnware.semantic_specification.input, entry.island
    if space is None or key is None or key.modality is not Modality.TABLE or space.dimension != key.dimension:
        return None
    return space if any(text.strip() for text in space.descriptions.values()) else None


def _columns(entry: Entry) -> Hashable:
    space = described(entry)
    return tuple(sorted(space.descriptions.items())) if space is not None else None


_FACETS: Mapping[str, Callable[[Entry], Hashable]] = {
    "private_owner": _private_owner,
    "owner": lambda entry: entry.learnware.owner_id,
    "data": lambda entry: entry.learnware.semantic_specification.data,
    "task": lambda entry: entry.learnware.semantic_specification.task,
    "library": lambda entry: entry.learnware.semantic_specification.library,
    "license": lambda entry: entry.learnware.semantic_specification.license,
    "scenario": lambda entry: entry.learnware.semantic_specification.scenarios,
    "format_class": _format_class,
    "visibility": lambda entry: entry.learnware.visibility,
    "inputs": lambda entry: _described(entry.learnware.semantic_specification.input),
    "outputs": lambda entry: _described(entry.learnware.semantic_specification.output),
    "answer": lambda entry: entry.answer,
    "columns": _columns,
}


def _any_of(wanted: Collection[str]) -> Callable[[Hashable], bool]:
    return lambda scenarios: isinstance(scenarios, tuple) and not frozenset(wanted).isdisjoint(scenarios)


def _describing(wanted: Collection[str]) -> Callable[[Hashable], bool]:
    """Whether descriptions hold every wanted text."""
    folded = [text.casefold() for text in wanted]
    return lambda texts: isinstance(texts, tuple) and all(any(one in text for text in texts) for one in folded)


def _wanted(filter_: SemanticFilter) -> dict[str, tuple[Hashable, ...]]:
    """The wanted values of each single-valued facet that the filter constrains."""
    wanted: dict[str, tuple[Hashable, ...]] = {
        "data": filter_.data,
        "task": filter_.tasks,
        "library": filter_.libraries,
        "license": filter_.licenses,
        "owner": filter_.owner_ids,
        "format_class": filter_.format_classes,
        "visibility": filter_.visibilities,
    }
    return {name: values for name, values in wanted.items() if values}
