"""Small real learnwares for tests: owners of scikit-learn's digits who each saw some of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import build_package
from learndock.rkme.fit import build_specification


@dataclass(frozen=True)
class Digits:
    """Digits of some labels, half for owners and half for users."""

    X: NDArray[np.float64]
    y: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Sequence[int], *, half: int) -> Digits:
        """Every second row of some labels, counted from `half` (0 or 1), pixels scaled to 0..1."""
        X, y = load_digits(return_X_y=True)
        chosen = np.isin(y, labels)
        return cls(X[chosen][half::2] / 16.0, y[chosen][half::2])


def digits_semantic(name: str) -> SemanticSpecification:
    """Semantic specification of a classifier of digits."""
    return SemanticSpecification(
        name=name,
        description="Handwritten digits, 8x8 pixels scaled to 0..1.",
        data="Table",
        task="Classification",
        library="Scikit-learn",
        scenarios=("Education",),
        license="MIT",
        input=FeatureSpace(64, {0: "pixel 0"}),
        output=FeatureSpace(10, {k: f"digit {k}" for k in range(10)}),
    )


def digits_package(folder: Path, labels: Sequence[int]) -> Path:
    """Package of a logistic regression on an owner's digits."""
    data = Digits.of(labels, half=0)
    name = "digits_" + "".join(str(k) for k in labels)
    model = LogisticRegression(max_iter=500).fit(data.X, data.y)
    path = folder / f"{name}.zip"
    build_package(path, model=model, semantic=digits_semantic(name), specification=build_specification(data.X))
    return path
