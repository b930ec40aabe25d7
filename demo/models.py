"""Three ways to train a model: with scikit-learn, with PyTorch, with NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import torch

from demo.data import CLASSIFICATION, Array, Kind, Rows
from learndock.package.build import SourceModel

_EPOCHS = 200
_RIDGE = 1.0


class Model(Protocol):
    """A trained model.

    Attributes
    ----------
    library
        What it needs, in the dock's vocabulary.
    for_package
        What `learndock.package.build` makes a package of.
    """

    @property
    def library(self) -> str: ...  # noqa: D102
    @property
    def for_package(self) -> object: ...  # noqa: D102

    def predict(self, inputs: Array) -> Array:
        """Outputs for rows [n, d]: numbers, labels, or a score for each class."""


@dataclass(frozen=True)
class EstimatorModel:
    """A fitted scikit-learn estimator."""

    for_package: BaseEstimator
    library: str = "Scikit-learn"

    def predict(self, inputs: Array) -> Array:
        """Labels or numbers [n]."""
        return np.asarray(self.for_package.predict(inputs), dtype=np.float64)


@dataclass(frozen=True)
class TorchModel:
    """A trained module."""

    for_package: torch.nn.Module
    library: str = "PyTorch"

    def predict(self, inputs: Array) -> Array:
        """Scores [n, classes] or numbers [n, 1]."""
        with torch.no_grad():
            return np.asarray(self.for_package(torch.as_tensor(inputs, dtype=torch.float32)).numpy(), dtype=np.float64)


@dataclass(frozen=True)
class LinearModel:
    """Scores or numbers that are linear in the columns: no library but NumPy.

    Attributes
    ----------
    weights
        [d, outputs].
    bias
        [outputs].
    """

    weights: Array
    bias: Array
    library: str = "Others"

    @property
    def for_package(self) -> SourceModel:
        """The same two lines as a module of the package, its numbers beside it."""
        shapes = {"input_shape": [self.weights.shape[0]], "output_shape": [self.weights.shape[1]]}
        return SourceModel(_LINEAR_SOURCE, kwargs=shapes, arrays={"weights": self.weights, "bias": self.bias})

    def predict(self, inputs: Array) -> Array:
        """Scores [n, classes] or numbers [n, 1]."""
        return inputs @ self.weights + self.bias


_LINEAR_SOURCE = '''"""A linear model in NumPy."""

import os

from learnware.model import BaseModel
import numpy as np


class Model(BaseModel):
    def __init__(self, input_shape, output_shape):
        super().__init__(input_shape=tuple(input_shape), output_shape=tuple(output_shape))
        folder = os.path.dirname(os.path.abspath(__file__))
        self._parameters = np.load(os.path.join(folder, "weights.npz"))

    def predict(self, X):
        return np.asarray(X, dtype=np.float64) @ self._parameters["weights"] + self._parameters["bias"]
'''


def linear_estimator(rows: Rows, kind: Kind) -> EstimatorModel:
    """Logistic or ridge regression."""
    learner = LogisticRegression(max_iter=1000) if kind.task == CLASSIFICATION else RidgeCV(np.logspace(-2, 3, 11))
    return EstimatorModel(make_pipeline(StandardScaler(), learner).fit(rows.inputs, rows.truth))


def forest(rows: Rows, kind: Kind) -> EstimatorModel:
    """A random forest."""
    learner = RandomForestClassifier if kind.task == CLASSIFICATION else RandomForestRegressor
    return EstimatorModel(learner(n_estimators=60, min_samples_leaf=2, random_state=0).fit(rows.inputs, rows.truth))


def network(rows: Rows, kind: Kind) -> TorchModel:
    """A network with one hidden layer, trained by Adam."""
    torch.manual_seed(0)
    inputs = torch.as_tensor(rows.inputs, dtype=torch.float32)
    classes = len(kind.outputs)
    module = torch.nn.Sequential(
        torch.nn.BatchNorm1d(inputs.shape[1], affine=False),
        torch.nn.Linear(inputs.shape[1], 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, classes),
    )
    targets = torch.as_tensor(rows.truth, dtype=torch.long)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    for _ in range(_EPOCHS):
        optimizer.zero_grad()
        loss: Any = torch.nn.functional.cross_entropy(module(inputs), targets)
        loss.backward()
        optimizer.step()
    return TorchModel(module.eval())


def least_squares(rows: Rows, kind: Kind) -> LinearModel:
    """Ridge regression on standardised columns, in closed form; for classes on one column of zeros and ones each."""
    classes = kind.task == CLASSIFICATION
    targets = np.eye(len(kind.outputs))[rows.truth.astype(int)] if classes else rows.truth[:, None]
    center, scale = rows.inputs.mean(axis=0), rows.inputs.std(axis=0) + 1e-6
    standard = (rows.inputs - center) / scale
    offset = targets.mean(axis=0)
    gram = standard.T @ standard + _RIDGE * np.eye(standard.shape[1])
    weights = np.linalg.solve(gram, standard.T @ (targets - offset)) / scale[:, None]
    return LinearModel(weights, offset - center @ weights)
