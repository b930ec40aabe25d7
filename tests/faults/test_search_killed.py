"""The index of search, killed without warning while it is fitted anew and saved."""

from __future__ import annotations

from itertools import count
import math
from pathlib import Path
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from services.search import growth
from services.search.engines.local import LocalEngine
from services.search.live import Change, LiveIndex
from services.search.search import search
from services.search.snapshot import SnapshotFile
from tests.support.search import empty_index, learnware, question, specification

ROOT = Path(__file__).parents[2]
# Follows a history without end; fits anew without pause and saves after each change; tells how far it came.
FOLLOWING = f"""
import importlib.util, sys
from pathlib import Path
described = importlib.util.spec_from_file_location("killed", {__file__!r})
killed = importlib.util.module_from_spec(described)
described.loader.exec_module(killed)
killed.follow(Path(sys.argv[1]))
"""


def change(sequence: int) -> Change:
    """Learnwares come; every fourth change removes one of them."""
    if sequence % 4 == 0:
        return Change(sequence, learnware(sequence - 2), searchable=False)
    one = specification(np.random.default_rng(sequence), atoms=40)
    return Change(sequence, learnware(sequence), searchable=True, specification=one)


def snapshots(folder: Path) -> SnapshotFile:
    return SnapshotFile(folder / "index.snapshot", folder / "packs")


def restored(folder: Path) -> LiveIndex:
    live, saved = empty_index(folder), snapshots(folder).load()
    if saved is not None:
        live.restore(saved)
    return live


def follow(folder: Path) -> None:
    growth._YOUNG, growth._REFIT_GROWTH = 0, 1.0
    live = restored(folder)
    threading.Thread(target=lambda: all(live.refit() or True for _ in count()), daemon=True).start()
    while True:
        live.apply(change(live.applied + 1))
        snapshots(folder).save(live.saved_state())
        sys.stdout.write(f"{live.applied}\n")
        sys.stdout.flush()


def killed_after(folder: Path, changes: int, seconds: float) -> int:
    """Let a process follow, kill it a while after it has saved so many changes; the last that it told."""
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOWING, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(changes)]
    time.sleep(seconds)
    process.kill()
    told += process.stdout.read().splitlines(keepends=True)
    process.wait()
    return int([line for line in told if line.endswith("\n")][-1])


@pytest.mark.parametrize("seconds", [0.004, 0.017])
def test_what_was_saved_is_there_after_a_kill(tmp_path: Path, seconds: float) -> None:
    first = killed_after(tmp_path, 7, seconds)
    assert restored(tmp_path).current.sequence >= first
    last = killed_after(tmp_path, 5, seconds)
    assert last > first
    live = restored(tmp_path)
    assert live.current.sequence >= last
    undisturbed = empty_index(tmp_path / "undisturbed")
    for sequence in range(1, live.current.sequence + 1):
        undisturbed.apply(change(sequence))
    undisturbed.publish()
    asked = question(specification(np.random.default_rng(10**6)), top_k=100)
    answers = [
        search(index, asked, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0)
        for index in (live.current, undisturbed.current)
    ]
    killed, expected = ([single.entry.learnware_id for single in answer.singles] for answer in answers)
    assert sorted(killed) == sorted(expected)
