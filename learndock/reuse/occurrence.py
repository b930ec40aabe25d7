"""Which classes occur among rows without labels, as far as the answers to them tell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.outputs import OutputKind, as_probabilities
from learndock.reuse.prediction import Prediction

# A class that wins this share of the rows that the most frequent one wins counts half; see `Occurrence.among`.
_HALF = 0.05
_ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Occurrence:
    """How likely each class is to be met at all.

    Attributes
    ----------
    factors
        float64 [c], each > 0 and < 1.
    """

    factors: NDArray[np.float64]

    @classmethod
    def of(cls, prediction: Prediction) -> Occurrence | None:
        """What the answers to a task's rows tell, see `among`; None unless they are class probabilities."""
        if prediction.kind is not OutputKind.PROBABILITIES or not len(prediction.outputs):
            return None
        return cls.among(as_probabilities(prediction.outputs))

    @classmethod
    def among(cls, probabilities: NDArray[np.float64]) -> Occurrence:
        """What class probabilities [n, c] of a task's rows tell.

        Learnwares know classes that a task has not, and some of its rows look like these. A class c that is the most
        probable one of n_c rows gets the factor r_c / (r_c + 0.05), where r_c = (n_c + 1) / (max n + 1); the rows are
        counted again with the factors until these stay, at most 20 times. Classes that are merely less frequent are
        hardly touched (factor .83 at a quarter), and with few rows the 1 keeps all factors near each other.
        `docs/decisions/0045-classes-that-occur.md` tells what this was held against. O(n c) a round.
        """
        factors = _factors(probabilities)
        for _ in range(_ROUNDS):
            earlier, factors = factors, _factors(probabilities * factors)
            if np.array_equal(earlier, factors):
                break
        return cls(factors)

    def weighed(self, prediction: Prediction) -> Prediction:
        """The answer with its probabilities weighed; one of another kind, or number of classes, stays as it is."""
        if prediction.kind is not OutputKind.PROBABILITIES or prediction.outputs.shape[1] != len(self.factors):
            return prediction
        return replace(prediction, outputs=self.weigh(as_probabilities(prediction.outputs)))

    def weigh(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probabilities [n, c], each class's multiplied by its factor, every row summing to 1."""
        weighed = probabilities * self.factors
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))


def _factors(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    won = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]) + 1.0
    relative = won / won.max()
    return np.asarray(relative / (relative + _HALF))
