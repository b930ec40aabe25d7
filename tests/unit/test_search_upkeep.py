"""Islands fitted anew and snapshots written while searches and changes go on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock.rkme.specification import Specification
from services.search import growth
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.search import search
from services.search.snapshot import SnapshotFile
from services.search.upkeep import Upkeep
from tests.support.patience import eventually
from tests.support.search import empty_index, filled_index, learnware, question, specification

ISLAND = "table-d2"


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def live(tmp_path: Path, generator: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> LiveIndex:
    monkeypatch.setattr(growth, "_YOUNG", 0)
    return filled_index(tmp_path / "dock", [specification(generator) for _ in range(8)])


@pytest.fixture
def snapshots(tmp_path: Path) -> SnapshotFile:
    return SnapshotFile(tmp_path / "index.snapshot", tmp_path / "dock" / "packs")


@pytest.fixture
def upkeep(live: LiveIndex, snapshots: SnapshotFile) -> Iterator[Upkeep]:
    running = Upkeep(live, snapshots, snapshot_seconds=0.05)
    running.start()
    yield running
    running.stop(60.0)


def searching(live: LiveIndex, task: Specification, ended: threading.Event) -> set[int]:
    """Search until told to end; the profiles that answered."""
    profiles = set()
    while not ended.is_set():
        index = live.current
        answer = search(
            index, question(task, members=3), None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0
        )
        assert answer.certified
        assert answer.admitted == len(list(index.entries()))
        assert answer.profile == index.islands[ISLAND].profile.number
        profiles.add(answer.profile)
    return profiles


@pytest.mark.usefixtures("upkeep")
def test_searches_and_changes_go_on_while_islands_are_fitted_anew_and_saved(
    live: LiveIndex, snapshots: SnapshotFile, generator: np.random.Generator, tmp_path: Path
) -> None:
    ended = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(searching, live, specification(generator), ended) for _ in range(3)]
        try:
            for sequence in range(9, 97):
                gone = sequence % 5 == 0
                made = learnware(sequence - 3 if gone else sequence)
                one = None if gone else specification(generator)
                live.apply(Change(sequence, made, searchable=not gone, specification=one))
                live.publish()
                if sequence == 32:  # the island has doubled once; by the end it doubles again
                    assert eventually(lambda: live.current.islands[ISLAND].profile.number > 1)
            assert eventually(lambda: live.current.islands[ISLAND].profile.number > 2)
        finally:
            ended.set()
        profiles = set().union(*(future.result() for future in running))
    assert len(profiles) > 1
    assert live.current.sequence == 96

    def saved_all() -> bool:
        saved = snapshots.load()
        return saved is not None and saved.index.sequence == 96

    assert eventually(saved_all)
    restored = empty_index(tmp_path / "restored")
    restored.restore(snapshots.load())
    assert [entry.learnware_id for entry in restored.current.entries()] == [
        entry.learnware_id for entry in live.current.entries()
    ]


def test_an_index_is_saved_when_upkeep_stops_and_only_when_it_changed(
    live: LiveIndex, snapshots: SnapshotFile, tmp_path: Path
) -> None:
    upkeep = Upkeep(live, snapshots, snapshot_seconds=3600.0)
    upkeep.start()
    live.apply(Change(9, learnware(1), searchable=False))
    upkeep.stop(60.0)
    saved = snapshots.load()
    assert saved is not None
    assert saved.index.sequence == 9
    (tmp_path / "index.snapshot").unlink()
    again = Upkeep(live, snapshots, snapshot_seconds=3600.0)
    again.start()
    again.stop(60.0)
    assert snapshots.load() is None


def test_upkeep_outlives_a_folder_that_cannot_be_written(
    live: LiveIndex, tmp_path: Path, generator: np.random.Generator
) -> None:
    (tmp_path / "in the way").write_bytes(b"")
    failing = SnapshotFile(tmp_path / "in the way" / "index.snapshot", tmp_path / "dock" / "packs")
    upkeep = Upkeep(live, failing, snapshot_seconds=0.01)
    upkeep.start()
    for sequence in range(9, 18):
        live.apply(Change(sequence, learnware(sequence), searchable=True, specification=specification(generator)))
    live.publish()
    assert eventually(lambda: live.current.islands[ISLAND].profile.number == 2)
    upkeep.stop(60.0)
    assert failing.load() is None
