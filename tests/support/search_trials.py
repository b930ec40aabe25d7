"""A dock that changes at random, and what its answers are by definition."""

from __future__ import annotations

import numpy as np

from learndock.account import Principal, Role
from learndock.learnware import Learnware, SemanticFilter
from learndock.rkme.specification import Specification
from services.search.certified import Mode
from services.search.live import Change
from services.search.profile import Profile
from services.search.scoring import DECIMALS
from services.search.search import Question
from tests.support.search import TASKS, learnware, specification

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


def brute_force(profile: Profile, truth: Truth, asked: Question) -> list[tuple[float, str]]:
    """All that a question admits, nearest first: distance and id."""
    exact = distances(profile, truth, asked.specification)
    return sorted(
        (round(max(0.0, exact[made.learnware_id]), DECIMALS), made.learnware_id)
        for made, _ in truth.values()
        if admits(asked, made)
    )
