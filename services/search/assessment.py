"""What an answer means, in numbers and words that hold across queries."""

from __future__ import annotations

from enum import StrEnum

from services.search.background import Background
from services.search.mixing import Blend
from services.search.scoring import Task
from services.search.tally import Scored

# Cosines of embeddings, docs/decisions/0018-when-nothing-fits.md: below the first, inputs overlap too little whatever
# the island's other learnwares are; above the second they overlap so much that a learnware fits, though others are
# alike, too.
_LITTLE, _MUCH = 0.5, 0.9
# An answer at a percentile below this is no closer than two learnwares drawn at random usually are.
_CHANCE = 50.0
# Fewer learnwares make no background to speak of.
_SMALL_ISLAND = 5


class Advice(StrEnum):
    """What the caller should know."""

    LIKELY_NOTHING_FITS = "LIKELY_NOTHING_FITS"
    """The best answer hardly overlaps with the task, or is no closer than chance."""
    NO_COMPARABLE_LEARNWARE = "NO_COMPARABLE_LEARNWARE"
    """Nothing can be compared with the specification."""
    USE_MIXTURE = "USE_MIXTURE"
    """A mixture fits much better than any single."""


def advice(task: Task, best: Scored, blend: Blend | None, background: Background, learnwares: int) -> Advice | None:
    """Advice on an answer whose best single is `best`, in an island with so many learnwares."""
    overlap = _overlap(task, best, blend)
    ordinary = learnwares >= _SMALL_ISLAND and background.percentile(_nearest(best, blend)) < _CHANCE
    if overlap < _LITTLE or (ordinary and overlap < _MUCH):
        return Advice.LIKELY_NOTHING_FITS
    return Advice.USE_MIXTURE if blend is not None else None


def _nearest(best: Scored, blend: Blend | None) -> float:
    return best.mmd2 if blend is None else blend.mmd2


def _overlap(task: Task, best: Scored, blend: Blend | None) -> float:
    """Cosine of the embeddings of task and best single, or where there is a mixture a lower bound of its.

    A mixture at squared distance m from the task, whose own length is unknown, has a cosine of at least
    sqrt(1 - m / |mu|^2).
    """
    if blend is not None:
        return float(max(0.0, 1.0 - blend.mmd2 / task.norm) ** 0.5)
    product = (best.placed.norm + task.norm - best.mmd2) / 2.0
    return float(product / (best.placed.norm * task.norm) ** 0.5)


def single_sentence(percentile: float) -> str:
    """Why a learnware is offered."""
    if percentile <= 0:
        return "Its training inputs are as far from your data as any two learnwares here are from one another."
    pairs = "all" if percentile >= 100 else f"{percentile:.0f} % of the"
    return f"Its training inputs are nearer to your data than {pairs} pairs of learnwares here are to one another."


def mixture_sentence(blend: Blend) -> str:
    """Why a mixture is offered."""
    return (
        f"Together these {len(blend.members)} cover your data: the distance is {blend.improvement:.0%} smaller than"
        " that of the best single learnware."
    )


def words_sentence(wanted: str) -> str:
    """Why a learnware is offered that was found without a specification."""
    return "Its name or description contains your words." if wanted else "It passes your filter."
