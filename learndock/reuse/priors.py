"""Class priors: what is known of how frequent each class is among the rows to predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.reuse.outputs import OutputKind, as_probabilities
from learndock.reuse.prediction import Prediction

_ROUNDS = 500
_CLOSE = 1e-6
# No class is held back further: frequencies that cannot be reached would have it vanish.
_LEAST_FACTOR = 1e-9
_TINY = np.finfo(np.float64).tiny


def with_priors(probabilities: NDArray[np.float64], priors: Sequence[float]) -> NDArray[np.float64]:
    """Class probabilities whose mean over the rows is what is known of them.

    Members were trained where classes were as frequent as they happened to be. Each class's probabilities are
    multiplied by one number, the same for all rows, and each row is brought back to a sum of 1: the answer nearest to
    the members' (in relative entropy) with these frequencies. Probabilities of 0 stay 0, so that frequencies which the
    rows cannot have are reached as far as they can be. It is the frequency among the given rows: give all at once.

    Parameters
    ----------
    probabilities
        float64 [n, c].
    priors
        Frequencies of the c classes, not negative, in any unit.

    Raises
    ------
    InvalidInput
        The priors are not one for each class, or no frequencies (SHAPE_MISMATCH).

    Source: Deming and Stephan, On a least squares adjustment of a sampled frequency table when the expected marginal
    totals are known, Annals of Mathematical Statistics 11 (1940).
    """
    wanted = _checked(priors, probabilities.shape[1])
    factors = np.ones(len(wanted))
    adjusted = probabilities
    for _ in range(_ROUNDS):
        adjusted = probabilities * factors
        adjusted /= np.maximum(adjusted.sum(axis=1, keepdims=True), _TINY)
        mean = adjusted.mean(axis=0)
        if np.abs(mean - wanted).max() < _CLOSE:
            break
        factors *= wanted / np.maximum(mean, _LEAST_FACTOR)
        factors = np.maximum(factors / factors.max(), _LEAST_FACTOR)
    return np.asarray(adjusted)


def prediction_with_priors(prediction: Prediction, priors: Sequence[float]) -> NDArray[np.float64]:
    """The class probabilities of an answer, float64 [n, c], see `with_priors`.

    Raises
    ------
    InvalidInput
        The answer holds no probabilities (STRATEGY_UNSUITABLE), or as of `with_priors`.
    """
    if prediction.kind is not OutputKind.PROBABILITIES:
        raise InvalidInput(
            Reason.STRATEGY_UNSUITABLE,
            "Priors correct class probabilities; these members give none.",
            field="priors",
        )
    return with_priors(as_probabilities(prediction.outputs), priors)


def _checked(priors: Sequence[float], classes: int) -> NDArray[np.float64]:
    wanted = np.asarray(priors, dtype=np.float64)
    if wanted.shape != (classes,):
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Give one prior for each of the {classes} classes, not {wanted.shape}.",
            field="priors",
        )
    if not np.isfinite(wanted).all() or (wanted < 0).any() or wanted.sum() <= 0:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH, "Priors are frequencies: not negative, and not all 0.", field="priors"
        )
    return np.asarray(wanted / wanted.sum())
