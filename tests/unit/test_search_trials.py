"""A thousand randomised trials of certified search against the definition, while the dock changes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from learndock.account import Principal, Role
from learndock.learnware import Learnware, SemanticFilter
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.engines.local import LocalEngine
from services.search.live import Change
from services.search.profile import Profile
from services.search.scoring import DECIMALS
from services.search.search import Question, search
from tests.support.search import TASKS, empty_index, learnware, specification

TRIALS = 1000
NUMBERS = 90
OWNERS = ("ann", "bob")
Truth = dict[int, tuple[Learnware, Specification]]


def distances(profile: Profile, truth: Truth, task: Specification) -> dict[str, float]:
    """MMD2 of every learnware to a task, by definition, of all atoms at once."""
    specifications = [one for _, one in truth.values()]
    atoms = profile.scaler.transform(np.concatenate([*(one.atoms for one in specifications), task.atoms]))
    sizes = [*(one.atom_count for one in specifications), task.atom_count]
    ends = np.cumsum(sizes)
    d2 = ((atoms[:, None, :] - atoms[None, :, :]) ** 2).sum(axis=2)
    gram = sum(np.exp(-gamma * d2) for gamma in profile.kernel.gammas) / len(profile.kernel.gammas)
    signed = np.zeros((len(specifications), len(atoms)))
    for row, one in enumerate(specifications):
        signed[row, ends[row] - sizes[row] : ends[row]] = one.weights
        signed[row, ends[-2] :] = -task.weights
    values = np.einsum("ij,ij->i", signed @ gram, signed)
    return {made.learnware_id: float(value) for (made, _), value in zip(truth.values(), values, strict=True)}


def disturb(truth: Truth, generator: np.random.Generator, sequence: int) -> Change:
    """A learnware comes, goes or changes; one in five is equal to another."""
    number = int(generator.integers(1, NUMBERS))
    if number in truth and generator.random() < 0.4:
        made, _ = truth.pop(number)
        return Change(sequence, made, searchable=False)
    copied = truth and generator.random() < 0.2
    one = truth[next(iter(truth))][1] if copied else specification(generator)
    made = learnware(
        number,
        owner=str(generator.choice(OWNERS)),
        private=bool(generator.random() < 0.3),
        task=str(generator.choice(TASKS)),
        version=sequence,
    )
    truth[number] = (made, one)
    return Change(sequence, made, searchable=True, specification=one)


def random_question(generator: np.random.Generator) -> Question:
    filter_ = SemanticFilter(
        tasks=(TASKS[0],) if generator.random() < 0.3 else (),
        owner_ids=("ann",) if generator.random() < 0.2 else (),
    )
    caller = Principal("ann", "ann", Role.ADMIN if generator.random() < 0.2 else Role.USER)
    excluded = frozenset(f"{number:08d}" for number in generator.integers(1, NUMBERS, size=3))
    top_k = int(generator.integers(1, 11))
    return Question(caller, filter_, specification(generator), top_k, 1, Mode.CERTIFIED, excluded, None)


def admits(asked: Question, made: Learnware) -> bool:
    semantic = made.semantic_specification
    return (
        asked.caller.may_see(made.owner_id, private=made.visibility == "PRIVATE")
        and semantic.task in (asked.filter.tasks or TASKS)
        and made.owner_id in (asked.filter.owner_ids or OWNERS)
        and made.learnware_id not in asked.excluded
    )


def test_certified_answers_are_those_of_the_definition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "bank._DIRECT_BELOW": 8,
        "bank._FIRST": 4,
        "bank.SHORT": 6,
        "certified._STEP": 3,
        "growth._SMALL": 6,
        "growth._YOUNG": 8,
    }.items():
        monkeypatch.setattr(f"services.search.{name}", value)
    generator = np.random.default_rng(0)
    live, truth, sequence, proven_early = empty_index(tmp_path), {}, 0, 0
    while sequence < 60:
        sequence += 1
        live.apply(disturb(truth, generator, sequence))
    for _ in range(TRIALS):
        for _ in range(int(generator.integers(0, 3))):
            sequence += 1
            live.apply(disturb(truth, generator, sequence))
        index, asked = live.publish(), random_question(generator)
        answer = search(index, asked, None, engine=LocalEngine(), time_left=lambda: math.inf, exhaustive_below=0)
        exact = distances(index.islands["table-d2"].profile, truth, asked.specification)
        wanted = sorted(
            (round(max(0.0, exact[made.learnware_id]), DECIMALS), made.learnware_id)
            for made, _ in truth.values()
            if admits(asked, made)
        )
        found = [(single.mmd2, single.entry.learnware_id) for single in answer.singles]
        assert answer.certified
        assert answer.admitted == len(wanted)
        assert [name for _, name in found] == [name for _, name in wanted[: asked.top_k]]
        assert [value for value, _ in found] == pytest.approx([value for value, _ in wanted[: asked.top_k]], abs=2e-10)
        proven_early += answer.scored < answer.admitted
    assert proven_early > TRIALS / 10
