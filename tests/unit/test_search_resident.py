"""Whole islands on a torch device: estimates with their bounds, scans of several tasks, settling.

The same code runs here on torch's processor device; on a card where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
import math
from pathlib import Path
import threading

import numpy as np
import pytest
import torch

from learndock.rkme.specification import Specification
from services.search import scoring
from services.search.engines import residence, resident
from services.search.engines.local import LocalEngine
from services.search.engines.residence import Residence
from services.search.engines.resident import ResidentEngine
from services.search.engines.together import Together
from services.search.live import LiveIndex
from services.search.scoring import Task
from services.search.search import search
from tests.support.patience import eventually
from tests.support.search import filled_index, question, specification

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
ISLAND = "table-d5"


@pytest.fixture
def specifications() -> list[Specification]:
    """Learnwares near and far, some of them far off the centre, where single precision says little."""
    generator = np.random.default_rng(0)
    made = [specification(generator, dimension=5) for _ in range(60)]
    for scale in (1e2, 1e4, 9e5):
        atoms = scale + generator.normal(size=(6, 5))
        made.append(Specification(atoms=atoms, weights=np.full(6, 1 / 6)))
    return made


@pytest.fixture
def live(specifications: list[Specification], tmp_path: Path) -> LiveIndex:
    return filled_index(tmp_path, specifications)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("values", [2**18, 64])
def test_no_estimate_is_farther_off_than_its_bound(
    live: LiveIndex, specifications: list[Specification], monkeypatch: pytest.MonkeyPatch, device: str, values: int
) -> None:
    monkeypatch.setattr(residence, "_PROCESSOR_VALUES", values)
    monkeypatch.setattr(residence, "_READ", 7)
    island = live.current.islands[ISLAND]
    taken_in = Residence.of(island.large, island.profile, torch.device(device))
    tasks = [Task.under(island.profile, specifications[number]) for number in (0, 1, 17, 60, 62)]
    estimates, errors = (found.cpu().numpy() for found in taken_in.scan(tasks))
    for number, task in enumerate(tasks):
        exact = scoring.mmd2(task, island.large.learnwares)
        assert np.all(np.abs(estimates[:, number] - exact) <= errors[:, number])
    assert errors[:60, :3].max() < 0.01


@pytest.mark.parametrize("device", DEVICES)
def test_answers_are_those_of_the_processor(
    live: LiveIndex, specifications: list[Specification], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(resident, "_FIRST", 4)
    engine = ResidentEngine(device)
    engine.hold(live.current)
    for task in specifications[::6]:
        asked = question(task, top_k=7)
        answers = [
            search(live.current, asked, None, engine=one, time_left=lambda: math.inf, exhaustive_below=0)
            for one in (engine, LocalEngine())
        ]
        found, expected = ([(s.entry.learnware_id, s.mmd2) for s in answer.singles] for answer in answers)
        assert found == expected
        assert answers[0].certified
    assert engine.status().name == f"local on {device}"
    engine.close()


def test_time_that_ends_early_leaves_the_answer_uncertified(
    live: LiveIndex, specifications: list[Specification]
) -> None:
    engine = ResidentEngine("cpu")
    engine.hold(live.current)
    asked = question(specifications[3])
    answer = search(live.current, asked, None, engine=engine, time_left=lambda: 0.01, exhaustive_below=0)
    assert (answer.certified, answer.scored) == (False, 0)


def test_who_comes_while_others_are_answered_is_answered_in_one_batch() -> None:
    batches: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def doubled(asked: Sequence[int]) -> list[int]:
        batches.append(list(asked))
        begun.set()
        go_on.wait(60.0)
        return [2 * number for number in asked]

    together: Together[int, int] = Together(doubled, most=3)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(together.ask, 0)
        assert begun.wait(60.0)
        others = [pool.submit(together.ask, number) for number in range(1, 6)]
        assert eventually(lambda: len(together._waiting) == 5)
        go_on.set()
        assert [future.result() for future in (first, *others)] == [0, 2, 4, 6, 8, 10]
    assert [len(batch) for batch in batches] == [1, 3, 2]


def test_a_batch_that_fails_fails_for_all_of_it_and_nobody_else() -> None:
    def halved(asked: Sequence[int]) -> list[float]:
        return [1 / number for number in asked]

    together: Together[int, float] = Together(halved, most=4)
    with pytest.raises(ZeroDivisionError):
        together.ask(0)
    assert together.ask(2) == 0.5
