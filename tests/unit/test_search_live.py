"""The index that changes: order, repetition, growth, concurrency, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock.errors import FailedPrecondition, Reason
from learndock.learnware import Learnware, VersionState
from learndock.rkme.specification import Specification
from services.search import growth
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.live import Change, LiveIndex, is_searchable
from services.search.search import Answer, search
from services.search.snapshot import SnapshotFile
from tests.support.search import empty_index, filled_index, learnware, question, specification

ISLAND = "table-d2"
Saved = tuple[LiveIndex, SnapshotFile, Path]


def entries(live: LiveIndex) -> list[tuple[str, int]]:
    return [(entry.learnware_id, entry.version) for entry in live.current.entries()]


def ask(index: DockIndex, task: Specification | None, **more: object) -> Answer:
    return search(
        index, question(task, **more), None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=2000
    )


@pytest.mark.parametrize(
    ("made", "searchable"),
    [
        (learnware(1), True),
        (learnware(1, state=VersionState.UPLOADED), False),
        (learnware(1, state=VersionState.VALIDATING), False),
        (learnware(1, state=VersionState.REJECTED), False),
        (learnware(1, deleted=True), False),
    ],
)
def test_only_living_verified_learnwares_are_searchable(made: Learnware, *, searchable: bool) -> None:
    assert is_searchable(made) is searchable


def changes(generator: np.random.Generator, count: int) -> Iterator[Change]:
    """A history of a few learnwares."""
    for sequence in range(1, count + 1):
        made = learnware(int(generator.integers(1, 6)), version=sequence, private=bool(generator.random() < 0.3))
        gone = generator.random() < 0.3
        yield Change(sequence, made, searchable=not gone, specification=None if gone else specification(generator))


@pytest.mark.parametrize("seed", range(8))
def test_changes_twice_late_and_out_of_order_end_the_same(tmp_path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    history = list(changes(generator, 30))
    in_order, disturbed = empty_index(tmp_path / "a"), empty_index(tmp_path / "b")
    for change in history:
        in_order.apply(change)
    shuffled = [history[i] for i in generator.permutation([*range(30), *range(30)])]
    for step, change in enumerate(shuffled):
        disturbed.apply(change)
        if step % 7 == 0:
            disturbed.publish()
    in_order.publish(), disturbed.publish()
    assert entries(disturbed) == entries(in_order)
    assert disturbed.current.sequence == in_order.current.sequence == 30


def test_nothing_is_seen_before_it_is_published(tmp_path: Path) -> None:
    live = empty_index(tmp_path)
    live.apply(Change(1, learnware(1), searchable=True, specification=specification(np.random.default_rng(0))))
    assert entries(live) == []
    assert live.pending == 1
    live.publish()
    assert entries(live) == [("00000001", 1)]
    assert live.pending == 0


def test_learnwares_without_a_specification_are_found_by_words_only(tmp_path: Path) -> None:
    live = empty_index(tmp_path)
    live.apply(Change(1, learnware(1), searchable=True))
    live.publish()
    assert [single.entry.learnware_id for single in ask(live.current, None).singles] == ["00000001"]
    assert not live.current.islands
    live.apply(Change(2, learnware(1), searchable=False))
    assert entries(live) != []
    live.publish()
    assert entries(live) == []


def test_a_young_island_is_fitted_anew_with_each_learnware(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(4)])
    live.apply(Change(5, learnware(5), searchable=True, specification=specification(generator)))
    assert live.publish().islands[ISLAND].profile.fitted_on == 5


def test_an_island_is_fitted_anew_when_it_has_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_YOUNG", 0)
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(4)])
    assert live.current.islands[ISLAND].profile.number == 1
    for number in (5, 6, 7):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification(generator)))
    assert live.publish().islands[ISLAND].profile.number == 1
    live.apply(Change(8, learnware(8), searchable=True, specification=specification(generator)))
    assert live.publish().islands[ISLAND].profile.number == 1
    assert live.refit()
    assert live.current.islands[ISLAND].profile.number == 2
    assert not live.refit()


def test_what_changes_while_an_island_is_fitted_anew_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "_YOUNG", 0)
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(4)])
    for number in range(5, 9):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification(generator)))
    live.publish()
    found = growth.found

    def found_while_changes_come(*arguments: object, **more: object) -> object:
        live.apply(Change(9, learnware(2), searchable=False))
        live.apply(Change(10, learnware(3, version=2), searchable=True, specification=specification(generator)))
        live.publish()
        assert live.current.sequence == 10
        fitted = found(*arguments, **more)
        live.apply(Change(11, learnware(11), searchable=True, specification=specification(generator)))
        return fitted

    monkeypatch.setattr(growth, "found", found_while_changes_come)
    assert live.refit()
    assert live.current.islands[ISLAND].profile.number == 2
    assert live.current.sequence == 11
    expected = [*((f"{n:08d}", 1) for n in (1, 4, 5, 6, 7, 8, 11)), ("00000003", 2)]
    assert entries(live) == sorted(expected)
    answer = ask(live.current, specification(generator))
    assert (answer.certified, answer.admitted, answer.profile) == (True, 8, 2)


def test_an_index_that_is_made_anew_while_an_island_is_fitted_keeps_its_own_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "_YOUNG", 0)
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(2)])
    for number in range(3, 6):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification(generator)))
    fresh, one = live.beginning(), specification(generator)
    live.publish()
    fresh.apply(Change(6, learnware(6), searchable=True, specification=one))
    found = growth.found

    def found_while_adopted(*arguments: object, **more: object) -> object:
        monkeypatch.setattr(growth, "found", found)
        fitted = found(*arguments, **more)
        assert live.adopt(fresh, even_behind=False)
        return fitted

    monkeypatch.setattr(growth, "found", found_while_adopted)
    assert live.refit()
    assert entries(live) == [("00000006", 1)]
    assert live.current.islands[ISLAND].profile.fitted_on == 1


def test_private_learnwares_do_not_shape_the_profile(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    public = [specification(generator) for _ in range(4)]
    without, with_ = filled_index(tmp_path / "a", public), empty_index(tmp_path / "b")
    for number, one in enumerate((*public, *(specification(generator) for _ in range(9))), start=1):
        with_.apply(Change(number, learnware(number, private=number > 4), searchable=True, specification=one))
    island, same = with_.publish().islands[ISLAND], without.current.islands[ISLAND]
    assert island.profile.kernel == same.profile.kernel
    assert np.array_equal(island.background.pairs, same.background.pairs)


def test_an_island_that_empties_goes_and_its_profile_numbers_go_on(tmp_path: Path) -> None:
    one = specification(np.random.default_rng(0))
    live = filled_index(tmp_path, [one])
    live.apply(Change(2, learnware(1), searchable=False))
    assert ISLAND not in live.publish().islands
    live.apply(Change(3, learnware(1), searchable=True, specification=one))
    assert live.publish().islands[ISLAND].profile.number == 2


def test_banks_merge_when_much_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "_SMALL", 2)
    monkeypatch.setattr(growth, "_REFIT_GROWTH", math.inf)
    monkeypatch.setattr(growth, "_YOUNG", 0)
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(8)])
    sizes = []
    for number in range(9, 15):
        live.apply(Change(number, learnware(number), searchable=True, specification=specification(generator)))
        island = live.publish().islands[ISLAND]
        sizes.append((len(island.large), len(island.small)))
    assert sizes == [(8, 1), (8, 2), (11, 0), (11, 1), (11, 2), (14, 0)]


def test_searches_go_on_with_the_index_they_hold_while_it_changes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(20)])
    tasks = [specification(generator) for _ in range(5)]
    ended = threading.Event()

    def searching(task: Specification | None) -> int:
        rounds = 0
        while not ended.is_set() or rounds == 0:
            index = live.current
            first, again = ask(index, task, members=3), ask(index, task, members=3)
            assert [s.mmd2 for s in first.singles] == [s.mmd2 for s in again.singles]
            assert first.admitted == len(list(index.entries()))
            assert first.certified
            rounds += 1
        return rounds

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(searching, task) for task in tasks]
        for sequence in range(21, 81):
            number = int(generator.integers(2, 30))
            gone = generator.random() < 0.4
            one = None if gone else specification(generator)
            live.apply(Change(sequence, learnware(number, version=sequence), searchable=not gone, specification=one))
            live.publish()
        ended.set()
        assert all(future.result() >= 1 for future in running)


def test_waiting_for_a_change(tmp_path: Path) -> None:
    live = empty_index(tmp_path)
    with pytest.raises(FailedPrecondition) as caught:
        live.wait_for(1, 0.0)
    assert caught.value.reason is Reason.INDEX_BEHIND
    live.apply(Change(1, learnware(1), searchable=True))
    later = threading.Timer(0.05, live.publish)
    later.start()
    assert live.wait_for(1, 60.0).sequence == 1
    later.join()


def test_words_of_retired_entries_are_forgotten_a_snapshot_later(tmp_path: Path) -> None:
    live = empty_index(tmp_path)
    live.apply(Change(1, learnware(1, name="old"), searchable=True))
    live.publish()
    live.apply(Change(2, learnware(1, name="new"), searchable=True))
    live.publish()
    retired = live.forget_retired_words(0)
    assert list(live.words.matching("old")) == [1]
    assert live.forget_retired_words(retired) == 0
    assert list(live.words.matching("old")) == []
    assert list(live.words.matching("new")) == [2]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path / "one", [specification(generator) for _ in range(9)])
    live.apply(Change(10, learnware(3), searchable=False))
    live.apply(Change(11, learnware(10, name="without a specification"), searchable=True))
    live.apply(
        Change(12, learnware(11, private=True), searchable=True, specification=specification(generator, dimension=3))
    )
    snapshot = SnapshotFile(tmp_path / "index.snapshot", tmp_path / "one" / "packs")
    snapshot.save(live.saved_state())
    return live, snapshot, tmp_path / "index.snapshot"


def test_a_snapshot_answers_as_before(saved: Saved, tmp_path: Path) -> None:
    live, snapshot, _ = saved
    restored = empty_index(tmp_path / "two")
    restored.restore(snapshot.load())
    assert entries(restored) == entries(live)
    assert restored.current.sequence == 12
    assert list(restored.words.matching("without")) == [11]
    task = specification(np.random.default_rng(5))
    before, after = ask(live.current, task), ask(restored.current, task)
    assert [(s.entry.learnware_id, s.mmd2, s.percentile) for s in after.singles] == [
        (s.entry.learnware_id, s.mmd2, s.percentile) for s in before.singles
    ]
    restored.apply(Change(2, learnware(3), searchable=True))  # a late change of a deleted learnware
    restored.publish()
    assert entries(restored) == entries(live)


def test_a_damaged_or_missing_snapshot_is_ignored(saved: Saved, tmp_path: Path) -> None:
    _, snapshot, path = saved
    sound = path.read_bytes()
    assert SnapshotFile(tmp_path / "none", tmp_path).load() is None
    for damaged in (
        b"",
        b"{}\n",
        sound[:-1],
        sound[:200],
        sound[:-9] + b"\0" * 9,
        sound.replace(b'"format": 3', b'"format": 0'),
    ):
        path.write_bytes(damaged)
        assert snapshot.load() is None
    path.write_bytes(sound)
    assert snapshot.load() is not None


def test_a_snapshot_without_its_specifications_is_ignored(saved: Saved, tmp_path: Path) -> None:
    _, snapshot, _ = saved
    segment = next((tmp_path / "one" / "packs").rglob("*.segment"))
    whole = segment.read_bytes()
    segment.write_bytes(b"\1" + whole[1:])
    assert snapshot.load() is None
    segment.unlink()
    assert snapshot.load() is None
    segment.write_bytes(whole)
    assert snapshot.load() is not None


def test_a_fresh_index_is_adopted_once_it_has_caught_up(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    specifications = [specification(generator) for _ in range(3)]
    live = filled_index(tmp_path, specifications)
    fresh = live.beginning()
    fresh.apply(Change(1, learnware(1), searchable=True, specification=specifications[0]))
    assert not live.adopt(fresh, even_behind=False)
    for number in (2, 3):
        fresh.apply(Change(number, learnware(number), searchable=True, specification=specifications[number - 1]))
    assert live.adopt(fresh, even_behind=False)
    assert len(entries(live)) == 3
    assert live.current.islands[ISLAND].profile.number == 3  # fitted when the fresh one held 1, then 3
