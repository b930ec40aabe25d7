"""How an island's index follows its learnwares: when it is merely extended, when rebuilt, when fitted anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np

from services.search import background, profile
from services.search.bank import Bank
from services.search.embedding import place
from services.search.entry import Entry, Placed
from services.search.index import IslandIndex
from services.search.island import IslandKey

# The small bank is scanned without an index, and each published change copies it.
_SMALL = 256
# Beyond this share of the large bank, changes and dead learnwares are merged into a new large bank.
_MERGE_SHARE = 0.125
# An island is fitted anew when it has grown by this factor since its profile was fitted.
_REFIT_GROWTH = 2.0
# With fewer learnwares each new one may widen what the island holds, and fitting takes a fraction of a second.
_YOUNG = 64


def found(key: IslandKey, entries: Iterable[Entry], *, number: int) -> IslandIndex:
    """A new index of an island, with a new profile of this number.

    The profile is fitted from the public learnwares, so that private ones shape nobody else's answers; from all of them
    where none is public.
    """
    ordered = sorted(entries, key=lambda entry: entry.learnware_id)
    basis = fitting_basis(ordered)
    fitted = profile.fit(
        [entry.specification for entry in basis if entry.specification is not None],
        number=number,
        fit_time=datetime.now(UTC),
    )
    learnwares = _placed(fitted, ordered)
    chosen = {entry.learnware_id for entry in basis}
    ordinary = background.fit([placed for placed in learnwares if placed.entry.learnware_id in chosen])
    return merged(key, fitted, ordinary, learnwares)


def _placed(fitted: profile.Profile, entries: Sequence[Entry]) -> list[Placed]:
    """Entries with their coordinates, all in one matrix: a million small arrays leave memory in pieces when they go."""
    rows = np.empty((len(entries), fitted.width), dtype=np.float32)
    placed = []
    for row, entry in zip(rows, entries, strict=True):
        one = place(fitted, entry)
        row[:] = one.row
        placed.append(Placed(entry, row, one.norm))
    return placed


def fitting_basis(entries: Sequence[Entry]) -> list[Entry]:
    """The entries that a profile is fitted from."""
    return [entry for entry in entries if not entry.private] or list(entries)


def merged(
    key: IslandKey, fitted: profile.Profile, ordinary: background.Background, learnwares: Sequence[Placed]
) -> IslandIndex:
    """An index with everything in its large bank."""
    return IslandIndex(
        key=key,
        profile=fitted,
        background=ordinary,
        large=Bank.of(learnwares, fitted.width, in_cells=True),
        alive=np.ones(len(learnwares), dtype=bool),
        small=Bank.of((), fitted.width),
    )


def followed(index: IslandIndex, changed: Collection[str], entries: Mapping[str, Entry]) -> IslandIndex:
    """The island's index after some of its learnwares changed.

    Parameters
    ----------
    index
        The index before; searches may go on with it.
    changed
        Ids of learnwares that came, changed or went.
    entries
        All learnwares that the island now has, by id; at least one.
    """
    if _young(index.profile, entries):
        return found(index.key, entries.values(), number=index.profile.number + 1)
    small = {placed.entry.learnware_id: placed for placed in index.small.learnwares}
    for learnware_id in changed:
        small.pop(learnware_id, None)
        if learnware_id in entries:
            small[learnware_id] = place(index.profile, entries[learnware_id])
    alive = index.alive & ~index.large.shelf.at(changed)
    extended = IslandIndex(
        key=index.key,
        profile=index.profile,
        background=index.background,
        large=index.large,
        alive=alive,
        small=Bank.of([small[name] for name in sorted(small)], index.profile.width),
    )
    return _merged_when_worth(extended)


def _merged_when_worth(index: IslandIndex) -> IslandIndex:
    dead = len(index.large) - int(index.alive.sum())
    if max(len(index.small), dead) <= max(_SMALL, _MERGE_SHARE * len(index.large)):
        return index
    learnwares = sorted(index.living(), key=lambda placed: placed.entry.learnware_id)
    return merged(index.key, index.profile, index.background, learnwares)


def caught_up(index: IslandIndex, entries: Mapping[str, Entry]) -> IslandIndex:
    """An index of some time ago with what changed since; `entries` are all learnwares that the island has, by id."""
    before = {placed.entry.learnware_id: placed.entry for placed in index.living()}
    changed = {name for name in before.keys() | entries.keys() if before.get(name) is not entries.get(name)}
    return followed(index, changed, entries)


def outgrown(fitted: profile.Profile, entries: Mapping[str, Entry]) -> bool:
    """Whether an island with these learnwares should be fitted anew, however long that takes."""
    if len(entries) < _REFIT_GROWTH * fitted.fitted_on:  # whatever of it is private
        return False
    return len(fitting_basis(list(entries.values()))) >= _REFIT_GROWTH * fitted.fitted_on


def _young(fitted: profile.Profile, entries: Mapping[str, Entry]) -> bool:
    if len(entries) >= _YOUNG and fitted.fitted_on >= _YOUNG:
        return False
    return fitted.fitted_on < len(fitting_basis(list(entries.values()))) < _YOUNG
