"""Real data that scikit-learn ships, cut into what owners trained on and what users hold.

Three kinds: handwritten digits (8x8 pixels), chemical analyses of wine, and measurements of diabetes patients. A row
that an owner trained on never comes to a user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits, load_wine
from sklearn.metrics import accuracy_score, r2_score

Array = NDArray[np.float64]

CLASSIFICATION = "Classification"
REGRESSION = "Regression"


@dataclass(frozen=True)
class Kind:
    """A kind of data.

    Attributes
    ----------
    name
        Such as "digits".
    task
        `CLASSIFICATION` or `REGRESSION`.
    features
        What each column means.
    outputs
        Names of the classes, or of the one number.
    scenario
        Field of use, from the dock's vocabulary.
    """

    name: str
    task: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    scenario: str

    def score(self, truth: Array, outputs: NDArray[np.generic]) -> float:
        """Accuracy of labels or class probabilities [n, classes]; coefficient of determination of numbers."""
        if self.task == REGRESSION:
            return float(r2_score(truth, np.ravel(outputs)))
        labels = outputs.argmax(axis=1) if outputs.ndim == 2 and outputs.shape[1] > 1 else np.ravel(outputs)
        return float(accuracy_score(truth, labels))


@dataclass(frozen=True)
class Rows:
    """Inputs [n, d] with the truth about each [n]."""

    inputs: Array
    truth: Array

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        """The rows that `keep` marks."""
        return Rows(self.inputs[keep], self.truth[keep])

    def of_classes(self, *classes: int) -> Rows:
        """The rows of some classes."""
        return self.where(np.isin(self.truth, classes))

    def seen(self, view: Callable[[Array], Array]) -> Rows:
        """The same rows as another instrument sees them."""
        return Rows(view(self.inputs), self.truth)

    def parts(self, fraction: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Two random parts, the first with `fraction` of the rows."""
        first = rng.permutation(len(self.truth)) < round(fraction * len(self.truth))
        return self.where(first), self.where(~first)

    def __add__(self, other: Rows) -> Rows:
        """Rows of both."""
        return Rows(np.vstack([self.inputs, other.inputs]), np.concatenate([self.truth, other.truth]))


@cache
def kinds() -> Mapping[str, Kind]:
    """The kinds of data, by name."""
    wine, diabetes = load_wine(), load_diabetes(scaled=False)
    pixels = tuple(f"ink of the pixel at row {row}, column {column}" for row in range(8) for column in range(8))
    digits = Kind("digits", CLASSIFICATION, pixels, tuple(f"digit {digit}" for digit in range(10)), "Education")
    cultivars = Kind("wine", CLASSIFICATION, tuple(wine.feature_names), tuple(wine.target_names), "Agriculture")
    patients = Kind("diabetes", REGRESSION, tuple(diabetes.feature_names), ("progression in a year",), "Health")
    return {kind.name: kind for kind in (digits, cultivars, patients)}


@cache
def split(kind: str) -> tuple[Rows, Rows]:
    """What owners trained on, and what users hold, of a kind; half each, always the same."""
    return _all_rows(kind).parts(0.5, np.random.default_rng(0))


def _all_rows(kind: str) -> Rows:
    if kind == "digits":
        digits = load_digits()
        return Rows(digits.data / 16.0, digits.target)
    source = load_wine() if kind == "wine" else load_diabetes(scaled=False)
    return Rows(np.asarray(source.data, dtype=np.float64), np.asarray(source.target, dtype=np.float64))


def inverted(inputs: Array) -> Array:
    """White on black instead of black on white."""
    return 1.0 - inputs


def rotated(inputs: Array) -> Array:
    """Pictures turned by a quarter."""
    return np.rot90(inputs.reshape(-1, 8, 8), axes=(1, 2)).reshape(len(inputs), -1).copy()


def in_si_units(inputs: Array) -> Array:
    """Blood pressure in kPa instead of mmHg; cholesterol and glucose in mmol/l instead of mg/dl."""
    factors = np.ones(inputs.shape[1])
    factors[3] = 0.1333
    factors[[4, 5, 6]] = 0.02586
    factors[9] = 0.0555
    return inputs * factors
