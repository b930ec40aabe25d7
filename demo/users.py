"""People with a task, rows and no model: they specify, search and reuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from demo.data import Kind, Rows, in_si_units, inverted, kinds, rotated, split
from demo.models import linear_estimator
from demo.owners import Owner
import learndock
from learndock.client.result import SearchResult
from learndock.client.values import SearchAdvice, Strategy
from learndock.learnware import SemanticFilter

OWN_LABELS = 20


@dataclass(frozen=True)
class User:
    """Somebody with a task.

    Attributes
    ----------
    task
        What it is, in a few words.
    kind
        Kind of data.
    rows
        Their rows. The truth about them is known here only to score the answers.
    """

    task: str
    kind: Kind
    rows: Rows


@dataclass(frozen=True)
class Outcome:
    """What a user found, and how good it was: accuracy, or the coefficient of determination.

    Attributes
    ----------
    single
        Name of the best single learnware.
    mixture
        Shares and names of the mixture; empty when none was offered.
    certified
        Whether the singles are proven to be the best.
    takes_mixture
        Whether the dock advises the mixture rather than the single.
    top1, mixed
        Scores of both; `mixed` is None when no mixture was offered.
    random
        Mean score of all learnwares of the kind of data.
    own_model
        Score of a model trained on the user's `OWN_LABELS` labelled rows.
    """

    task: str
    kind: str
    single: str
    mixture: tuple[tuple[float, str], ...]
    certified: bool
    takes_mixture: bool
    top1: float
    mixed: float | None
    random: float
    own_model: float

    @property
    def reuse(self) -> float:
        """Score of what the dock advises to reuse."""
        return self.mixed if self.takes_mixture and self.mixed is not None else self.top1


def users() -> list[User]:
    """Seven of them; the rows of four come from more than one owner's world."""
    digits, wine, diabetes = (split(kind)[1] for kind in ("digits", "wine", "diabetes"))
    rng = np.random.default_rng(1)
    half, other_half = digits.parts(0.5, rng)
    here, there = diabetes.parts(0.5, rng)
    rows = [
        ("digits, white on black", "digits", digits.seen(inverted)),
        ("digits 0 to 4", "digits", digits.of_classes(0, 1, 2, 3, 4)),
        ("digits, half of them inverted", "digits", half + other_half.seen(inverted)),
        ("digits 5 to 9, and turned ones", "digits", half.of_classes(5, 6, 7, 8, 9) + other_half.seen(rotated)),
        ("wine of cultivars 0 and 1", "wine", wine.of_classes(0, 1)),
        ("patients in SI units", "diabetes", diabetes.seen(in_si_units)),
        ("patients of two hospitals", "diabetes", here + there.seen(in_si_units)),
    ]
    return [User(task, kinds()[kind], task_rows) for task, kind, task_rows in rows]


def play(user: User, dock: learndock.Dock, owners: Sequence[Owner]) -> Outcome:
    """Let a user specify at home, search with the specification alone, and reuse what is found in the dock."""
    labelled, rest = user.rows.parts(OWN_LABELS / len(user.rows.truth), np.random.default_rng(2))
    specification = learndock.specify(user.rows.inputs)
    result = dock.search(specification, filter=SemanticFilter(tasks=(user.kind.task,)))
    return Outcome(
        task=user.task,
        kind=user.kind.name,
        single=_single(result),
        mixture=_mixture(result),
        certified=result.certificate.certified,
        takes_mixture=result.advice is SearchAdvice.USE_MIXTURE,
        top1=_score(dock, user.kind, rest, result, Strategy.TOP1),
        mixed=_score(dock, user.kind, rest, result, Strategy.JOB_SELECTOR) if result.mixture else None,
        random=_random(user.kind, rest, owners),
        own_model=_own_model(user.kind, labelled, rest),
    )


def _single(result: SearchResult) -> str:
    return result.singles[0].semantic_specification.name if result.singles else ""


def _mixture(result: SearchResult) -> tuple[tuple[float, str], ...]:
    members = result.mixture.members if result.mixture else ()
    return tuple((member.weight, member.semantic_specification.name) for member in members)


def _score(dock: learndock.Dock, kind: Kind, rows: Rows, result: SearchResult, strategy: Strategy) -> float:
    with dock.reuse(result, strategy=strategy) as reuser:
        return kind.score(rows.truth, reuser.predict(rows.inputs))


def _random(kind: Kind, rows: Rows, owners: Sequence[Owner]) -> float:
    scores = [kind.score(rows.truth, owner.model.predict(rows.inputs)) for owner in owners if owner.kind == kind]
    return float(np.mean(scores))


def _own_model(kind: Kind, labelled: Rows, rows: Rows) -> float:
    return kind.score(rows.truth, linear_estimator(labelled, kind).predict(rows.inputs))
