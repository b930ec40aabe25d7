"""Answering a differentially private task: it has no atoms, so learnwares are scored in its own feature space."""

from __future__ import annotations

from itertools import islice

from learndock.rkme.private import PrivateSpecification
from services.search.certified import Budget, Candidates, Ranking
from services.search.tally import Scored

SENTENCE = "By its distance in the feature space of your private specification."


def rank_privately(candidates: Candidates, task: PrivateSpecification, budget: Budget) -> Ranking:
    """All admitted learnwares, or as many as the budget allows, by estimated squared distance; never certified.

    The features of a learnware's atoms are exact, so that only the task's noise is in the estimate; its known bias is
    taken off. Estimates may be below 0. O(N K m d) for N learnwares of K atoms.
    """
    scored: list[Scored] = []
    ordered = iter(candidates.all())
    while step := list(islice(ordered, max(0, budget.remaining(len(scored))))):
        for placed in step:
            specification = placed.specification
            scored.append(Scored(placed, task.squared_distance(specification.atoms, specification.weights)))
    scored.sort(key=lambda one: one.order)
    return Ranking(tuple(scored), certified=False)


def remark(task: PrivateSpecification, scored: int, admitted: int) -> str:
    """How such an answer came about, and why nothing of it is proven."""
    told = (
        f"Your specification is differentially private (epsilon {task.budget.epsilon:g}, delta {task.budget.delta:g}):"
        f" distances are estimates in its own kernel, with an error of about {task.expected_error():.1e} where they"
        " are near 0; singles only, nothing is proven."
    )
    return told if scored == admitted else f"{told} Only {scored} of {admitted} learnwares could be scored."
