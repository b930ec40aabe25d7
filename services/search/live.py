"""The index that changes: takes changes of the catalogue and publishes immutable indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import threading
from types import MappingProxyType

from learndock.errors import FailedPrecondition, Reason
from learndock.learnware import Learnware, VersionState
from learndock.rkme.specification import Specification
from services.search import growth
from services.search.catalogue import Shelf
from services.search.engines.port import ScoringEngine
from services.search.entry import Entry
from services.search.index import DockIndex, IslandIndex
from services.search.island import IslandKey
from services.search.packs import Pack, Stored
from services.search.words import Words


@dataclass(frozen=True, eq=False)
class Change:
    """A change of the catalogue.

    Attributes
    ----------
    sequence
        Its number.
    learnware
        The learnware as it was right after.
    searchable
        Whether it can be found after the change.
    specification
        Statistical specification of its current version; None where its package has none.
    """

    sequence: int
    learnware: Learnware
    searchable: bool
    specification: Specification | Stored | None = None


@dataclass(frozen=True, eq=False)
class SavedState:
    """All that an index is.

    Attributes
    ----------
    index
        The index.
    seen
        The last change that each learnware had seen, those not searchable included.
    pack
        Where the specifications of `index` lie.
    """

    index: DockIndex
    seen: Mapping[str, int]
    pack: Pack


def is_searchable(learnware: Learnware) -> bool:
    """Whether a learnware can be found: it lives, and the version it serves is verified."""
    return learnware.delete_time is None and learnware.current_version.state is VersionState.VERIFIED


class LiveIndex:
    """Applies changes and swaps in a new `DockIndex` when told to publish.

    Searches take `current` and hold it as long as they like. Applying, publishing and adopting are serialised by a
    lock. A change that comes twice or late does nothing: each learnware remembers the last one that it has seen.

    Parameters
    ----------
    words
        Where the words of entries are kept.
    pack
        Where their specifications are kept.
    engine
        What scores; holds an index before searches see it.
    profile_numbers
        Number of the last profile of each island; new profiles get greater ones.
    """

    def __init__(
        self, words: Words, pack: Pack, engine: ScoringEngine, profile_numbers: Mapping[str, int] | None = None
    ) -> None:
        self._words = words
        self._pack = pack
        self._engine = engine
        self._profile_numbers = dict(profile_numbers or {})
        self._lock = threading.RLock()
        self._published = threading.Condition()
        self._current = DockIndex()
        self._entries: dict[str, Entry] = {}
        self._members: dict[IslandKey | None, dict[str, Entry]] = {}
        self._seen: dict[str, int] = {}
        self._changed: dict[IslandKey | None, set[str]] = {}
        self._refitted: dict[IslandKey, IslandIndex] = {}
        self._retired: list[int] = []
        self._applied = 0

    @property
    def current(self) -> DockIndex:
        """The index as last published."""
        return self._current

    @property
    def words(self) -> Words:
        """Words of the entries."""
        return self._words

    @property
    def applied(self) -> int:
        """Last change that was applied."""
        return self._applied

    @property
    def pending(self) -> int:
        """Learnwares with changes that are not published yet."""
        return sum(len(changed) for changed in self._changed.values())

    def held_specification(self, learnware_id: str, version: int) -> Stored | None:
        """The specification of a version if the index holds it already; versions never change."""
        with self._lock:
            entry = self._entries.get(learnware_id)
        return entry.specification if entry is not None and entry.version == version else None

    def apply(self, change: Change) -> None:
        """Take a change; searches see it after the next `publish`."""
        learnware_id = change.learnware.learnware_id
        with self._lock:
            if change.sequence > self._seen.get(learnware_id, 0):
                self._seen[learnware_id] = change.sequence
                self._remove(learnware_id)
                if change.searchable:
                    self._insert(Entry(change.learnware, self._stored(change.specification), change.sequence))
            self._applied = max(self._applied, change.sequence)

    def _stored(self, specification: Specification | Stored | None) -> Stored | None:
        return self._pack.add(specification) if isinstance(specification, Specification) else specification

    def _remove(self, learnware_id: str) -> None:
        old = self._entries.pop(learnware_id, None)
        if old is not None:
            del self._members[old.island][learnware_id]
            self._changed.setdefault(old.island, set()).add(learnware_id)
            self._retired.append(old.sequence)

    def _insert(self, entry: Entry) -> None:
        self._entries[entry.learnware_id] = entry
        self._members.setdefault(entry.island, {})[entry.learnware_id] = entry
        self._changed.setdefault(entry.island, set()).add(entry.learnware_id)

    def publish(self) -> DockIndex:
        """Make everything that was applied visible to searches."""
        with self._lock:
            if not self._changed and self._applied == self._current.sequence:
                return self._current
            # Words first: a search may find words of entries that its index lacks, and drops them; never the reverse.
            self._words.add(self._changed_entries())
            islands = dict(self._current.islands)
            for key in [key for key in self._changed if key is not None]:
                self._follow(islands, key)
            unplaced = self._current.unplaced
            if None in self._changed:
                members = self._members.get(None, {})
                unplaced = Shelf.of([members[name] for name in sorted(members)])
            self._changed = {}
            self._swap(DockIndex(self._applied, MappingProxyType(dict(sorted(islands.items()))), unplaced))
            return self._current

    def _changed_entries(self) -> Iterable[Entry]:
        changed = (name for names in self._changed.values() for name in names)
        return [self._entries[name] for name in changed if name in self._entries]

    def _follow(self, islands: dict[str, IslandIndex], key: IslandKey) -> None:
        members, old = self._members[key], islands.get(key.island_id)
        refitted = self._refitted.pop(key, None)
        if not members:
            islands.pop(key.island_id, None)
            return
        if old is None:
            followed = growth.found(key, members.values(), number=self._next_number(key))
        elif refitted is not None:
            followed = growth.caught_up(refitted, members)
        else:
            followed = growth.followed(old, self._changed[key], members)
        islands[key.island_id] = followed
        self._profile_numbers[key.island_id] = followed.profile.number

    def _next_number(self, key: IslandKey) -> int:
        return self._profile_numbers.get(key.island_id, 0) + 1

    def refit(self) -> bool:
        """Fit an island anew that has outgrown its profile, if there is one; tells whether there was.

        Searches and changes go on meanwhile. In the end the new profile is switched in, with what changed since.
        """
        with self._lock:
            before = next(filter(self._is_outgrown, self._current.islands.values()), None)
            if before is None:
                return False
            entries, number = list(self._members[before.key].values()), self._next_number(before.key)
        fitted = growth.found(before.key, entries, number=number)
        with self._lock:
            now = self._current.islands.get(before.key.island_id)
            if now is not None and now.profile is before.profile:  # else the index was made anew meanwhile
                self._refitted[before.key] = fitted
                self._changed.setdefault(before.key, set())
                self.publish()
        return True

    def _is_outgrown(self, island: IslandIndex) -> bool:
        return growth.outgrown(island.profile, self._members.get(island.key, {}))

    def _swap(self, index: DockIndex) -> None:
        self._engine.hold(index)
        with self._published:
            self._current = index
            self._published.notify_all()

    def forget_retired_words(self, before: int) -> int:
        """Forget the words of the first `before` retired entries; the number that remain.

        Call it with what the last call returned: searches that began before an entry was retired have then ended.
        """
        with self._lock:
            gone, self._retired = self._retired[:before], self._retired[before:]
            self._words.remove(gone)
            return len(self._retired)

    def restore(self, saved: SavedState) -> None:
        """Take over an index that was saved."""
        index = saved.index
        with self._lock:
            entries = list(index.entries())
            self._words.add(entries)
            self._entries = {entry.learnware_id: entry for entry in entries}
            self._members = {}
            for entry in entries:
                self._members.setdefault(entry.island, {})[entry.learnware_id] = entry
            self._seen, self._changed, self._applied = dict(saved.seen), {}, index.sequence
            self._pack = saved.pack
            self._profile_numbers |= {name: island.profile.number for name, island in index.islands.items()}
            self._swap(index)

    def close(self) -> None:
        """Take no more changes."""
        self._pack.close()

    def saved_state(self) -> SavedState:
        """The index with everything applied, for `restore`."""
        with self._lock:
            return SavedState(self.publish(), dict(self._seen), self._pack)

    def beginning(self) -> LiveIndex:
        """An empty index that can be filled and then adopted by this one."""
        with self._lock:
            return LiveIndex(self._words, self._pack.beside(), self._engine, self._profile_numbers)

    def adopt(self, fresh: LiveIndex, *, even_behind: bool) -> bool:
        """Take over what another index holds; tells whether that was done.

        Parameters
        ----------
        fresh
            An index from `beginning`, filled. It must not be used any more.
        even_behind
            Also when it has not followed as far as this one, because the catalogue itself was set back.
        """
        with self._lock:
            saved = fresh.saved_state()
            if saved.index.sequence < self._applied and not even_behind:
                return False
            self._retired += fresh._retired
            self.restore(saved)
            return True

    def wait_for(self, sequence: int, seconds: float) -> DockIndex:
        """The index once it holds a change of the catalogue.

        Raises
        ------
        FailedPrecondition
            It does not within `seconds` (INDEX_BEHIND).
        """
        with self._published:
            if not self._published.wait_for(lambda: self._current.sequence >= sequence, timeout=seconds):
                raise FailedPrecondition(
                    Reason.INDEX_BEHIND,
                    f"The index has followed the catalogue up to change {self._current.sequence}, not yet {sequence}.",
                    retry_after=1.0,
                )
            return self._current
