"""AUTO: what the labels bear out, found by cross-validation among all strategies and models of the labels alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput
from learndock.reuse import learning
from learndock.reuse.alignment import output_alignment
from learndock.reuse.combining import Combiner, Routed, WeightedMean
from learndock.reuse.gathering import Matrix, Outputs, gather
from learndock.reuse.labelled import LabelledReuser
from learndock.reuse.learning import Fitter, Shares
from learndock.reuse.member import Inputs, Member
from learndock.reuse.occurrence import Occurrence
from learndock.reuse.prediction import Prediction
from learndock.reuse.routing import Router

# A candidate that would count for less is left out.
LEAST_SHARE = 0.05
_SMALLEST = 1e-12
# Before any label is seen, what would be done without labels is likelier than the rest to be right.
_BELIEF, _BELIEF_IN_STACKING = 30.0, 10.0
_SHARPNESS = 1 / 16
# How many rows that belief counts for beside the labelled ones, once candidates are combined.
_BELIEF_ROWS = 100.0


@dataclass(frozen=True, eq=False)
class Blended:
    """Several combiners' answers, averaged with weights that sum to 1.

    Attributes
    ----------
    combiners
        1 or more.
    shares
        How much the answer of each counts, float64 [k].
    occurrences
        Which classes occur by the answers of each; empty while no task's rows were seen.
    """

    combiners: tuple[Combiner, ...]
    shares: NDArray[np.float64]
    occurrences: tuple[Occurrence, ...] = ()

    @property
    def weights(self) -> NDArray[np.float64]:
        """See `Combiner`."""
        return np.asarray(sum(s * c.weights for s, c in zip(self.shares, self.combiners, strict=True)))

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """See `Combiner`."""
        answers = self._answers(outputs, features)
        if self.occurrences:
            answers = np.stack([o.weigh(said) for o, said in zip(self.occurrences, answers, strict=True)])
        return np.asarray(np.tensordot(self.shares, answers, axes=1))

    def adapted(self, outputs: Outputs, features: Matrix) -> Blended:
        """The same, each combiner's answers weighed by which classes occur among these of a task, before the mean."""
        occurrences = tuple(Occurrence.among(said) for said in self._answers(outputs, features))
        return replace(self, occurrences=occurrences)

    def _answers(self, outputs: Outputs, features: Matrix) -> NDArray[np.float64]:
        answers = [combiner.combine(outputs, features) for combiner in self.combiners]
        width = max(answer.shape[1] for answer in answers)
        return np.stack([np.pad(answer, ((0, 0), (0, width - answer.shape[1]))) for answer in answers])


def held_out(
    fitters: Mapping[str, Fitter], outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares
) -> dict[str, Matrix]:
    """What each candidate says of every labelled row when it has not seen it, float64 [n, c] by name."""
    said = {name: np.zeros_like(truth) for name in fitters}
    for train, held in learning.folds(len(truth)):
        seen, rest = outputs.rows(train), outputs.rows(held)
        for name, fit in fitters.items():
            combiner = fit(seen, features[train], truth[train], shares)
            answer = combiner.combine(rest, features[held])
            said[name][held, : answer.shape[1]] = answer
    return said


class AutoReuser(LabelledReuser):
    """Chooses among all strategies, and models of the labelled rows alone, by cross-validation.

    Parameters
    ----------
    members
        1 or more, the most important first.
    timeout
        Seconds that each member has for one batch; None for no limit.
    presumed
        The strategy that the members would be reused by without labels: what is believed before any is seen.

    Attributes
    ----------
    choice_
        Names of what was chosen, the most important first.
    expected_errors_
        Cross-validated error of each candidate: share of wrong classes, or root of the mean squared error.
    expected_error_
        That of the choice.
    """

    combiner_: Blended

    def __init__(self, members: Sequence[Member], *, timeout: float | None = None, presumed: str = "AVERAGE") -> None:
        super().__init__(members, timeout=timeout)
        self.presumed = presumed

    def adapt(self, X: Inputs) -> Prediction:
        """See `Reuser`; what is averaged is adapted each on its own, as models of few labels hardly know the rest."""
        outputs, faults = gather(self.members, self.class_set_, X, self.timeout)
        outputs = outputs.widened(self.columns_)
        if outputs.classes:
            self.combiner_ = self.combiner_.adapted(outputs, self.features_.of(X))
        return self._combined(outputs, X, faults)

    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Blended:
        fitters = self._candidates()
        said = held_out(fitters, outputs, features, truth, self.shares_)
        self.expected_errors_ = {name: _error(answer, truth, outputs) for name, answer in said.items()}
        values = np.stack(list(said.values()))
        presumed = self.presumed if self.presumed in said else "AVERAGE"
        belief = np.array([_belief(name, presumed) for name in said])
        shares = blend(values, truth, belief)
        self.expected_error_ = _error(np.tensordot(shares, values, axes=1), truth, outputs)
        used = [(name, share) for name, share in zip(said, shares, strict=True) if share > 0]
        used.sort(key=lambda pair: -pair[1])
        self.choice_ = tuple(name for name, _ in used)
        fitted = tuple(fitters[name](outputs, features, truth, self.shares_) for name in self.choice_)
        return Blended(fitted, np.array([share for _, share in used]))

    def _candidates(self) -> dict[str, Fitter]:
        from learndock.reuse.mapped import Mapped  # here: a saved reuser, which is fitted, does without it

        fixed: dict[str, Fitter] = {
            "TOP1": lambda outputs, features, truth, shares: WeightedMean(np.eye(len(shares))[0]),
            "AVERAGE": lambda outputs, features, truth, shares: WeightedMean(shares),
        }
        router = self._router()
        if router is not None:
            fixed["JOB_SELECTOR"] = lambda outputs, features, truth, shares: Routed(router, shares)
        if any(isinstance(member.model, Mapped) for member in self.members):
            fixed["HETERO_ALIGN"] = output_alignment
        return fixed | {
            "ENSEMBLE_PRUNING": learning.pruning,
            "STACKING": learning.stacking,
            "FEATURE_AUGMENT": learning.feature_augment,
            "OWN_LINEAR": learning.own_linear,
            "OWN_TREES": learning.own_trees,
        }

    def _router(self) -> Router | None:
        if any(member.specification is None or member.specification.encoder for member in self.members):
            return None
        try:
            return Router.fit(self.members, seed=0)
        except InvalidInput:
            return None


def _belief(name: str, presumed: str) -> float:
    """How much likelier a candidate is than others before any label is seen.

    Weights by labels are near the members' shares where these are few, so they go with the mean of all.
    """
    if name in (presumed, "HETERO_ALIGN"):
        return _BELIEF
    return _BELIEF_IN_STACKING if (name, presumed) == ("STACKING", "AVERAGE") else 1.0


def blend(values: NDArray[np.float64], truth: Matrix, belief: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of candidates with held-out answers [k, n, c], float64 [k], summing to 1.

    First pseudo-Bayesian weights b_i e_i^(-n/16), e_i being mean squared errors and b the belief before any label: the
    exponent n/2 of independent normal errors decides too sharply, as held-out errors of one task go together. Then the
    convex combination of least squared error with these as prior, and nothing below `LEAST_SHARE`. Few labels so
    decide softly, many sharply.

    Source: Yao, Vehtari, Simpson and Gelman, Using stacking to average Bayesian predictive distributions, Bayesian
    Analysis 13 (2018).
    """
    errors = ((values - truth[None]) ** 2).mean(axis=(1, 2))
    least = _SMALLEST * max(1.0, float(errors.max()))
    evidence = np.log(belief) - len(truth) * _SHARPNESS * np.log(np.maximum(errors, least))
    prior = np.exp(evidence - evidence.max())
    shares = learning.stacked(values, truth, prior / prior.sum(), _BELIEF_ROWS)
    shares = np.where(shares >= LEAST_SHARE, shares, 0.0)
    return np.asarray(shares / shares.sum())


def _error(answer: Matrix, truth: Matrix, outputs: Outputs) -> float:
    if outputs.classes:
        return float((answer.argmax(axis=1) != truth.argmax(axis=1)).mean())
    return float(np.sqrt(((answer - truth) ** 2).mean()))
