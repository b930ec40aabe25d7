"""The answer of a search, and which of the learnwares in it to reuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from learndock.client.across import AcrossSingle
from learndock.client.values import Certificate, Member, Mixture, SearchAdvice, Single, Strategy
from learndock.errors import NotFound, Reason
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.labels import Labelled
from learndock.reuse.member import Inputs

NEAREST = 10
# An MMD2 is a square, as a variance is; those this many times farther than the nearest are left out.
FARTHEST = 5.0
NEAREST_ACROSS = 8
_ADVICE = {
    None: "",
    SearchAdvice.USE_MIXTURE: "the mixture fits much better than any single",
    SearchAdvice.LIKELY_NOTHING_FITS: "no answer is closer than chance: reuse is unlikely to help",
    SearchAdvice.NO_COMPARABLE_LEARNWARE: "no learnware can be compared with this specification",
}


@dataclass(frozen=True, repr=False)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    singles
        Best first.
    mixture
        Several learnwares that fit better together; None where none does.
    certificate
        What is proven.
    advice
        What the caller should know; None for nothing in particular.
    island_id
        Island that was searched; empty without a specification.
    profile
        Profile of the island that made the scores.
    as_of_sequence
        Last change of the catalogue that the answer knows.
    across
        Learnwares of other feature spaces, nearest first; see `Question.across`.
    task_input
        What the task's columns are, as it was asked.
    """

    singles: tuple[Single, ...]
    mixture: Mixture | None
    certificate: Certificate
    advice: SearchAdvice | None
    island_id: str
    profile: int
    as_of_sequence: int
    across: tuple[AcrossSingle, ...] = ()
    task_input: FeatureSpace | None = None

    @property
    def best(self) -> Single | None:
        """The best single; None where nothing was found."""
        return self.singles[0] if self.singles else None

    def members(self, strategy: Strategy | None = None) -> tuple[Member, ...]:
        """The learnwares to reuse.

        Parameters
        ----------
        strategy
            TOP1 takes the best single, any other the mixture where there is one, else the nearest singles. None takes
            the mixture only where the dock advises it, else the nearest singles.

        The nearest singles are at most `NEAREST`, weighted by 1 / MMD2, those more than `FARTHEST` times as far as the
        nearest left out: docs/decisions/0040-default-reuse.md tells why. Where nothing of the task's own
        feature space is likely to fit, it is the nearest of other feature spaces instead, if there are any.

        Raises
        ------
        NotFound
            Nothing was found.
        """
        if self.crosses:
            return self._across(1 if strategy is Strategy.TOP1 else NEAREST_ACROSS)
        mixed = self.mixes if strategy is None else strategy is not Strategy.TOP1
        if mixed and self.mixture is not None:
            return tuple(Member(m.learnware_id, m.version, m.weight) for m in self.mixture.members)
        if self.best is None:
            raise NotFound(
                Reason.RESOURCE_UNKNOWN, "The search found nothing to reuse; widen the filter or describe more data."
            )
        if strategy is Strategy.TOP1:
            return (Member(self.best.learnware_id, self.best.version),)
        return self._nearest()

    @property
    def mixes(self) -> bool:
        """Whether the dock advises the mixture."""
        return self.advice is SearchAdvice.USE_MIXTURE and self.mixture is not None

    @property
    def crosses(self) -> bool:
        """Whether learnwares of other feature spaces are what there is to reuse."""
        unlikely = (SearchAdvice.NO_COMPARABLE_LEARNWARE, SearchAdvice.LIKELY_NOTHING_FITS)
        return bool(self.across) and self.advice in unlikely

    def _across(self, most: int) -> tuple[Member, ...]:
        first, *others = self.across[:most]
        alike = [one for one in others if _answers_alike(one.semantic_specification, first.semantic_specification)]
        return tuple(Member(one.learnware_id, one.version, columns=one.columns) for one in (first, *alike))

    def _nearest(self) -> tuple[Member, ...]:
        first, *others = self.singles[:NEAREST]
        near = [  # without a distance, as of a search by words, the first is alone
            Member(single.learnware_id, single.version, first.mmd2 / single.mmd2)
            for single in others
            if 0 < single.mmd2 <= FARTHEST * first.mmd2
            and _answers_alike(single.semantic_specification, first.semantic_specification)
        ]
        return Member(first.learnware_id, first.version), *near

    def __repr__(self) -> str:
        told = (
            *self._lines(),
            self._mixture_line(),
            *self._across_lines(),
            _ADVICE[self.advice],
            self.certificate.remark,
        )
        return "\n".join(filter(None, (self._head(), *told)))

    def _head(self) -> str:
        proven = "certified" if self.certificate.certified else "not certified"
        scored, admitted = self.certificate.scored, self.certificate.admitted
        return f"SearchResult: {len(self.singles)} singles, {proven}, {scored} of {admitted} scored"

    def _lines(self) -> list[str]:
        return [
            f"{single.rank:>4}  {single.learnware_id}  MMD2 {single.mmd2:.3e}  {single.percentile:5.1f} %"
            f"  {single.semantic_specification.name}"
            for single in self.singles
        ]

    def _across_lines(self) -> list[str]:
        return [
            f"{single.rank:>4}  {single.learnware_id}  distance {single.distance:.3e}  {single.shared:.0%} of columns"
            f"  {single.semantic_specification.name}"
            for single in self.across
        ]

    def _mixture_line(self) -> str:
        if self.mixture is None:
            return ""
        shares = " + ".join(f"{member.weight:.2f} x {member.learnware_id}" for member in self.mixture.members)
        return f" mix  MMD2 {self.mixture.mmd2:.3e}  {self.mixture.percentile:5.1f} %  {shares}"


def _answers_alike(one: SemanticSpecification, other: SemanticSpecification) -> bool:
    sizes = [space.output.dimension if space.output else None for space in (one, other)]
    return (one.task, one.data, sizes[0]) == (other.task, other.data, sizes[1])


Reusable = SearchResult | str | Sequence[str | Member]
"""What can be reused: an answer, an id, or several ids or members."""


@dataclass(frozen=True)
class Plan:
    """What a reuser is made of.

    Attributes
    ----------
    members
        The most important first.
    strategy
        How they answer as one; None leaves the choice to the members and labels.
    labelled
        Rows to learn from, if there are any.
    presumed
        How they would answer without labels; None where that is not known.
    task_input
        What the task's columns are; needed where a member names its own.
    unlabelled
        Rows of the task, of which it is learnt which classes occur in it.
    """

    members: tuple[Member, ...]
    strategy: Strategy | None
    labelled: Labelled | None = None
    presumed: Strategy | None = None
    task_input: FeatureSpace | None = None
    unlabelled: Inputs | None = None


def strategy_for(found: Reusable, strategy: Strategy | None, *, labelled: bool) -> Strategy | None:
    """The strategy for what was found: singles that are alike are averaged; None leaves the choice to the dock."""
    if strategy is None and not labelled and isinstance(found, SearchResult) and not found.mixes:
        return Strategy.AVERAGE if len(found.members()) > 1 else Strategy.TOP1
    return strategy


def presumed_for(found: Reusable) -> Strategy | None:
    """How what was found would be reused without labels; None where no search tells."""
    if not isinstance(found, SearchResult):
        return None
    return Strategy.JOB_SELECTOR if found.mixes else Strategy.AVERAGE


def members_of(found: Reusable, strategy: Strategy | None) -> tuple[Member, ...]:
    """The learnwares to reuse, the most important first; of an answer, see `SearchResult.members`."""
    if isinstance(found, SearchResult):
        return found.members(strategy)
    several = (found,) if isinstance(found, str) else found
    return tuple(Member(one) if isinstance(one, str) else one for one in several)
