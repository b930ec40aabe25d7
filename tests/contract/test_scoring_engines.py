"""What every scoring engine promises. An implementation joins by a line in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
import os
from pathlib import Path

import numpy as np
import pytest
import ray
import torch

from learndock.errors import Unavailable
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.engines.port import EngineStatus, ScoringEngine
from services.search.engines.ray import RayEngine, RaySettings
from services.search.engines.resident import ResidentEngine
from services.search.index import DockIndex
from services.search.live import Change, LiveIndex
from services.search.search import Answer, Question, search
from tests.support.patience import eventually
from tests.support.ray_cluster import ray_cluster
from tests.support.search import empty_index, learnware, question, specification
from tests.support.search_trials import brute_force, disturb, random_question

ISLAND = "table-d2"
# More by the variable, such as 1000.
TRIALS = int(os.environ.get("LEARNDOCK_TEST_ENGINE_TRIALS", "40"))
ENGINES: dict[str, Callable[[pytest.FixtureRequest], ScoringEngine]] = {
    "local": lambda _: LocalEngine(),
    "resident": lambda _: ResidentEngine("cuda" if torch.cuda.is_available() else "cpu"),
    "ray": lambda request: request.getfixturevalue("ray_engine"),
}


@pytest.fixture(scope="module")
def ray_engine() -> Iterator[RayEngine]:
    with ray_cluster() as address:
        engine = RayEngine(RaySettings(address, shards=2, replicas=1, cpus=1.0, gpus=0.0, device=""))
        yield engine
        engine.close()


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> ScoringEngine:
    return ENGINES[request.param](request)


def ask(engine: ScoringEngine, index: DockIndex, asked: Question, exhaustive_below: int = 0) -> Answer:
    return search(index, asked, None, engine=engine, time_left=lambda: 60.0, exhaustive_below=exhaustive_below)


def found(answer: Answer) -> list[tuple[str, float]]:
    return [(single.entry.learnware_id, single.mmd2) for single in answer.singles]


def filled(folder: Path, engine: ScoringEngine, specifications: list[Specification]) -> LiveIndex:
    live = empty_index(folder, engine)
    for number, one in enumerate(specifications, start=1):
        live.apply(Change(number, learnware(number), searchable=True, specification=one))
    live.publish()
    return live


def some(count: int, seed: int = 0) -> list[Specification]:
    generator = np.random.default_rng(seed)
    return [specification(generator) for _ in range(count)]


def test_certified_answers_are_those_of_the_definition_while_the_dock_changes(
    engine: ScoringEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.search.growth._SMALL", 6)
    monkeypatch.setattr("services.search.growth._YOUNG", 8)
    generator = np.random.default_rng(0)
    live, truth, sequence = empty_index(tmp_path, engine), {}, 0
    while sequence < 60:
        sequence += 1
        live.apply(disturb(truth, generator, sequence))
    for _ in range(TRIALS):
        for _ in range(int(generator.integers(0, 3))):
            sequence += 1
            live.apply(disturb(truth, generator, sequence))
        live.refit()
        index, asked = live.publish(), random_question(generator)
        answer = ask(engine, index, asked)
        wanted = brute_force(index.islands[ISLAND].profile, truth, asked)
        assert answer.certified
        assert answer.admitted == len(wanted)
        assert [name for name, _ in found(answer)] == [name for _, name in wanted[: asked.top_k]]
        assert [mmd2 for _, mmd2 in found(answer)] == pytest.approx([v for v, _ in wanted[: asked.top_k]], abs=2e-10)


def test_every_engine_answers_as_the_local_one_does(engine: ScoringEngine, tmp_path: Path) -> None:
    live, local = filled(tmp_path, engine, some(150)), LocalEngine()
    for task in some(5, seed=1):
        for mode in (Mode.CERTIFIED, Mode.EXHAUSTIVE):
            asked = question(task, members=3, mode=mode)
            answer, expected = ask(engine, live.current, asked), ask(local, live.current, asked)
            assert found(answer) == found(expected)
            assert answer.advice == expected.advice
            assert answer.blend is None or answer.blend.mmd2 <= expected.singles[0].mmd2
        assert ask(engine, live.current, question(task, mode=Mode.EXHAUSTIVE)).scored == 150


def test_few_candidates_are_all_scored(engine: ScoringEngine, tmp_path: Path) -> None:
    live = filled(tmp_path, engine, some(30))
    answer = ask(engine, live.current, question(some(1, seed=2)[0], top_k=1), exhaustive_below=100)
    assert (answer.certified, answer.scored) == (True, 30)


def test_approximate_answers_are_labelled(engine: ScoringEngine, tmp_path: Path) -> None:
    specifications = some(150)
    live = filled(tmp_path, engine, specifications)
    answer = ask(engine, live.current, question(specifications[4], top_k=2, mode=Mode.APPROXIMATE))
    assert not answer.certified
    assert found(answer)[0] == ("00000005", 0.0)


@pytest.mark.parametrize("most", [1, 7])
def test_a_budget_of_scores_is_kept(engine: ScoringEngine, tmp_path: Path, most: int) -> None:
    live = filled(tmp_path, engine, some(40))
    answer = ask(engine, live.current, question(some(1, seed=3)[0], max_scored=most), exhaustive_below=100)
    assert not answer.certified
    assert 0 < answer.scored <= most


def test_time_that_is_over_leaves_an_answer_uncertified(engine: ScoringEngine, tmp_path: Path) -> None:
    live = filled(tmp_path, engine, some(40))
    asked = question(some(1, seed=3)[0])
    answer = search(live.current, asked, None, engine=engine, time_left=lambda: 0.049, exhaustive_below=100)
    assert (answer.certified, answer.scored) == (False, 0)


def test_an_older_index_answers_as_long_as_somebody_holds_it(engine: ScoringEngine, tmp_path: Path) -> None:
    specifications = some(12)
    live = filled(tmp_path, engine, specifications)
    before, asked = live.current, question(specifications[2], top_k=3)
    expected = found(ask(engine, before, asked))
    for sequence in (13, 14):
        live.apply(Change(sequence, learnware(sequence - 10), searchable=False))
        live.publish()
    assert found(ask(engine, before, asked)) == expected
    assert "00000003" not in [name for name, _ in found(ask(engine, live.current, asked))]


def test_many_ask_at_once(engine: ScoringEngine, tmp_path: Path) -> None:
    specifications = some(60)
    live = filled(tmp_path, engine, specifications)
    expected = [found(ask(LocalEngine(), live.current, question(one))) for one in specifications]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: found(ask(engine, live.current, question(one))), specifications))
    assert answers == expected


def test_an_engine_is_ready(engine: ScoringEngine, tmp_path: Path) -> None:
    filled(tmp_path, engine, some(3))
    status = engine.status()
    assert status.ready == status.parts > 0


def test_a_lost_actor_comes_back_and_no_answer_is_wrong_meanwhile(ray_engine: RayEngine, tmp_path: Path) -> None:
    specifications = some(40)
    live = filled(tmp_path, ray_engine, specifications)
    asked = [question(one) for one in specifications[:5]]
    expected = [found(ask(ray_engine, live.current, one)) for one in asked]
    ray.kill(ray_engine.actors[0], no_restart=False)
    refused: list[Unavailable] = []

    def all_answer_again() -> bool:
        answers = []
        for one in asked:
            try:
                answers.append(found(ask(ray_engine, live.current, one)))
            except Unavailable as error:
                refused.append(error)
        assert all(answer in expected for answer in answers)
        return len(answers) == len(asked) and bool(refused)

    assert eventually(all_answer_again)
    assert all(error.retry_after for error in refused)
    assert ray_engine.status() == EngineStatus("ray", 2, 2)
    live.apply(Change(41, learnware(1), searchable=False))
    assert "00000001" not in [name for name, _ in found(ask(ray_engine, live.publish(), asked[0]))]
