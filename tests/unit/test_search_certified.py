"""Certified answers against brute force, over many small docks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
import math
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Principal, Role
from learndock.learnware import SemanticFilter
from learndock.rkme.specification import Specification
from services.search.bank import Bank
from services.search.catalogue import Admission
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.index import DockIndex
from services.search.live import Change
from services.search.profile import Profile
from services.search.search import Answer, Question, search
from tests.support.search import TASKS, empty_index, filled_index, learnware, question, specification

OWNERS = ("ann", "bob", "cyd")


def exact(profile: Profile, one: Specification, other: Specification) -> float:
    """MMD2 by definition."""
    a, b = profile.scaler.transform(one.atoms), profile.scaler.transform(other.atoms)
    gram = profile.kernel.gram
    value = (
        one.weights @ gram(a, a) @ one.weights
        - 2 * one.weights @ gram(a, b) @ other.weights
        + other.weights @ gram(b, b) @ other.weights
    )
    return round(max(0.0, value), 10)


class Dock:
    """What should be searchable, kept in a dictionary, beside the index under test."""

    def __init__(self, folder: Path, generator: np.random.Generator) -> None:
        self.live = empty_index(folder)
        self.generator = generator
        self.sequence = 0
        self.truth = {}
        self.versions = {}

    def submit(self, number: int, like: Specification | None = None) -> None:
        self.sequence += 1
        self.versions[number] = self.versions.get(number, 0) + 1
        one = like or specification(self.generator)
        made = learnware(
            number,
            owner=str(self.generator.choice(OWNERS)),
            private=bool(self.generator.random() < 0.3),
            task=str(self.generator.choice(TASKS)),
            version=self.versions[number],
        )
        self.truth[number] = (made, one)
        self.live.apply(Change(self.sequence, made, searchable=True, specification=one))

    def delete(self, number: int) -> None:
        self.sequence += 1
        made, _ = self.truth.pop(number)
        self.live.apply(Change(self.sequence, made, searchable=False))

    def disturb(self) -> None:
        for _ in range(int(self.generator.integers(0, 6))):
            number = int(self.generator.integers(1, 40))
            kind = self.generator.random()
            if number in self.truth and kind < 0.5:
                self.delete(number)
            elif self.truth and kind < 0.7:
                self.submit(number, like=self.truth[next(iter(self.truth))][1])  # an equal one: ties
            else:
                self.submit(number)
        self.live.publish()

    def brute_force(self, asked: Question) -> tuple[list[tuple[float, str]], int]:
        island = self.live.current.islands["table-d2"]
        wanted = [
            (exact(island.profile, one, asked.specification), made.learnware_id)
            for made, one in self.truth.values()
            if asked.caller.may_see(made.owner_id, private=made.visibility == "PRIVATE")
            and made.semantic_specification.task in (asked.filter.tasks or TASKS)
            and made.learnware_id not in asked.excluded
        ]
        return sorted(wanted), len(wanted)


def ask(
    index: DockIndex, asked: Question, exhaustive_below: int = 0, time_left: Callable[[], float] = lambda: math.inf
) -> Answer:
    return search(index, asked, None, engine=LocalEngine(), time_left=time_left, exhaustive_below=exhaustive_below)


def found(answer: Answer) -> list[str]:
    return [single.entry.learnware_id for single in answer.singles]


def random_question(generator: np.random.Generator, truth: Iterable[int]) -> Question:
    filter_ = SemanticFilter(tasks=(TASKS[0],)) if generator.random() < 0.4 else SemanticFilter()
    excluded = frozenset({f"{number:08d}" for number in list(truth)[:2]}) if generator.random() < 0.3 else frozenset()
    caller = Principal("ann", "ann", Role.ADMIN if generator.random() < 0.2 else Role.USER)
    top_k = int(generator.integers(1, 8))
    return question(specification(generator), caller=caller, filter_=filter_, excluded=excluded, top_k=top_k)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("by_index", [False, True], ids=["direct", "faiss"])
def test_certified_answers_equal_brute_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, *, by_index: bool
) -> None:
    if by_index:
        monkeypatch.setattr("services.search.bank._DIRECT_BELOW", 0)
        monkeypatch.setattr("services.search.bank._FIRST", 3)
    monkeypatch.setattr("services.search.certified._STEP", 2)
    monkeypatch.setattr("services.search.growth._SMALL", 4)
    generator = np.random.default_rng(seed)
    dock = Dock(tmp_path, generator)
    for number in range(1, int(generator.integers(8, 40))):
        dock.submit(number)
    dock.live.publish()
    for _ in range(12):
        dock.disturb()
        asked = random_question(generator, dock.truth)
        wanted, admitted = dock.brute_force(asked)
        answer = ask(dock.live.current, asked)
        assert answer.certified
        assert answer.admitted == admitted
        assert found(answer) == [learnware_id for _, learnware_id in wanted[: asked.top_k]]
        assert [single.mmd2 for single in answer.singles] == pytest.approx(
            [v for v, _ in wanted[: asked.top_k]], abs=2e-10
        )
        everything = ask(dock.live.current, asked, exhaustive_below=10_000)
        assert found(everything) == found(answer)
        assert everything.scored == admitted


def clustered(count: int, generator: np.random.Generator) -> list[Specification]:
    """Learnwares in well separated places, so that proofs are short."""
    places = generator.normal(scale=30.0, size=(count, 2))
    return [Specification(atoms=p + generator.normal(size=(5, 2)), weights=np.full(5, 0.2)) for p in places]


def test_a_proof_needs_few_exact_scores(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    specifications = clustered(300, generator)
    live = filled_index(tmp_path, specifications)
    answer = ask(live.current, question(specifications[7], top_k=1))
    assert answer.certified
    assert found(answer) == ["00000008"]
    assert answer.scored < 100


def test_the_modes_look_as_hard_as_they_say(tmp_path: Path) -> None:
    specifications = clustered(200, np.random.default_rng(0))
    live = filled_index(tmp_path, specifications)
    approximate = ask(live.current, question(specifications[0], top_k=3, mode=Mode.APPROXIMATE))
    exhaustive = ask(live.current, question(specifications[0], top_k=3, mode=Mode.EXHAUSTIVE))
    assert (approximate.certified, approximate.scored) == (False, 64)
    assert (exhaustive.certified, exhaustive.scored) == (True, 200)
    assert found(approximate)[0] == found(exhaustive)[0] == "00000001"


def test_a_spent_budget_leaves_the_answer_uncertified(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(50)])
    limited = ask(live.current, question(specification(generator), max_scored=5), exhaustive_below=2000)
    assert (limited.certified, limited.scored, len(limited.singles)) == (False, 5, 5)
    late = ask(live.current, question(specification(generator)), time_left=lambda: 0.0)
    assert (late.certified, late.scored) == (False, 0)
    enough = ask(live.current, question(specification(generator), max_scored=50), exhaustive_below=2000)
    assert enough.certified


def test_private_learnwares_of_others_leave_no_trace(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    public = [specification(generator) for _ in range(10)]
    private = [specification(generator) for _ in range(5)]
    asked = question(private[0], members=5)
    (tmp_path / "with").mkdir()
    without = filled_index(tmp_path, public)
    with_ = empty_index(tmp_path / "with")
    for number, one in enumerate((*public, *private), start=1):
        with_.apply(Change(number, learnware(number, private=number > 10), searchable=True, specification=one))
    with_.publish()
    expected, answer = ask(without.current, asked), ask(with_.current, asked)
    assert found(answer) == found(expected)
    assert [s.mmd2 for s in answer.singles] == [s.mmd2 for s in expected.singles]
    assert (answer.scored, answer.admitted, answer.advice) == (expected.scored, expected.admitted, expected.advice)
    owner = ask(with_.current, question(private[0], caller=Principal("owner", "owner", Role.USER)))
    assert found(owner)[0] == "00000011"


def test_an_island_of_private_learnwares_is_as_good_as_none(tmp_path: Path) -> None:
    live = empty_index(tmp_path)
    one = specification(np.random.default_rng(0))
    nothing = ask(live.current, question(one))
    live.apply(Change(1, learnware(1, private=True), searchable=True, specification=one))
    hidden = ask(live.publish(), question(one))
    for answer in (nothing, hidden):
        assert answer.advice == "NO_COMPARABLE_LEARNWARE"
        assert (answer.singles, answer.admitted, answer.scored, answer.profile) == ((), 0, 0, 0)


def test_equal_distributions_tie_and_ties_go_by_id(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    one = specification(generator, atoms=6)
    split = Specification(
        atoms=np.concatenate([one.atoms, one.atoms[::-1]]), weights=np.concatenate([one.weights, one.weights[::-1]]) / 2
    )
    live = filled_index(tmp_path, [split, one, specification(generator), split])
    answer = ask(live.current, question(specification(generator)))
    equal = [single for single in answer.singles if single.entry.learnware_id != "00000003"]
    assert [single.entry.learnware_id for single in equal] == ["00000001", "00000002", "00000004"]
    assert len({single.mmd2 for single in equal}) == 1


def test_reach_by_index_is_in_order_and_complete(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    live = filled_index(tmp_path, [specification(generator) for _ in range(60)])
    bank: Bank = live.current.islands["table-d2"].large
    admitted = bank.shelf.admitted(Admission(Principal("a", "a", Role.USER)))
    admitted[::3] = False
    query = np.zeros(bank.rows.shape[1])
    direct = list(bank.nearest(query, admitted, lambda: math.inf))
    monkeypatch.setattr("services.search.bank._DIRECT_BELOW", 0)
    monkeypatch.setattr("services.search.bank._FIRST", 4)
    reached = list(bank.nearest(query, admitted, lambda: math.inf))
    assert len(reached) > 1
    positions = np.concatenate([reach.positions for reach in reached])
    assert sorted(positions) == list(np.flatnonzero(admitted))
    bounds = np.concatenate([reach.bounds for reach in reached])
    own = dict(zip(direct[0].positions.tolist(), direct[0].bounds.tolist(), strict=True))
    assert bounds.tolist() == sorted(bounds)
    for place, position in enumerate(positions.tolist()):
        assert bounds[place] <= min(own[other] for other in positions[place:].tolist()) + 1e-5
        assert bounds[place] <= own[position] + 1e-5
    assert [reach.horizon for reach in reached][-1] == math.inf
    middle = float(np.median(direct[0].bounds))
    some = list(bank.nearest(query, admitted, lambda: middle))
    found = np.concatenate([reach.positions for reach in some]).tolist()
    assert {position for position, bound in own.items() if bound <= middle} <= set(found)
    assert len(found) < len(own)
    assert some[-1].horizon == middle
