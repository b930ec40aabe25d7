"""Combiners fitted on labelled rows.

Each fitter takes the members' outputs on the labelled rows, the rows' features [n, d], the truth [n, c] (numbers, or
classes one-hot) and the members' shares [m], which are what is believed before any label is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from learndock.reuse.combining import Combiner, Modelled, WeightedMean, augmented
from learndock.reuse.gathering import Matrix, Outputs
from learndock.rkme.simplex import simplex_weights

Shares = NDArray[np.float64]
Fitter = Callable[[Outputs, Matrix, Matrix, Shares], Combiner]

# The prior counts as so many rows; which of them is found by cross-validation.
PRIOR_ROWS = (30.0, 100.0, 1000.0)
_RIDGES = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
_TREES = 100
_MOST_EXACT = 10
# Many labels tell as much in half as many folds.
_FOLDS, _FOLDS_OF_MANY, _MANY = 10, 5, 200


def folds(count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Training and held-out rows of a cross-validation of at most ten folds, five of many rows; each is held out once.

    A single row stands for both.
    """
    if count == 1:
        yield np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp)
        return
    order = np.random.default_rng(0).permutation(count)
    for part in np.array_split(order, min(_FOLDS if count <= _MANY else _FOLDS_OF_MANY, count)):
        yield np.setdiff1d(order, part), part


def stacking(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> WeightedMean:
    """The convex combination of least squared error, drawn to the members' shares by a prior.

    Minimises |y - sum_i w_i f_i|^2 + a v |w - w_0|^2 over the simplex, v being how much the members disagree on a row
    and a the rows that the prior counts for, chosen by cross-validation. O(n m^2) and a small quadratic program each.
    """
    return WeightedMean(convex_weights(outputs.completed(shares), truth, outputs.weights(shares)))


def convex_weights(values: NDArray[np.float64], truth: Matrix, prior: Shares) -> Shares:
    """Weights of predictions [m, n, c], see `stacking`."""
    best = min(PRIOR_ROWS, key=lambda rows: (_convex_error(values, truth, prior, rows), -rows))
    return stacked(values, truth, prior, best)


def _convex_error(values: NDArray[np.float64], truth: Matrix, prior: Shares, prior_rows: float) -> float:
    error = 0.0
    for train, held in folds(len(truth)):
        weights = stacked(values[:, train], truth[train], prior, prior_rows)
        error += float(((truth[held] - np.tensordot(weights, values[:, held], axes=1)) ** 2).sum())
    return error


def stacked(values: NDArray[np.float64], truth: Matrix, prior: Shares, prior_rows: float) -> Shares:
    """Weights of predictions [m, n, c] drawn to a prior that counts for so many rows, see `stacking`."""
    flat, wanted = values.reshape(len(values), -1), truth.reshape(-1)
    centre = prior @ flat
    # Shifting all by the prior's answer changes nothing on the simplex, and keeps the numbers small.
    shifted, rest = flat - centre, wanted - centre
    disagreement = float((shifted**2).sum()) / max(1, len(values) * len(truth))
    if disagreement <= 0.0:
        return prior
    strength = prior_rows * disagreement
    gram = shifted @ shifted.T + strength * np.eye(len(values))
    return simplex_weights(gram / strength, (shifted @ rest + strength * prior) / strength)


def pruning(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> WeightedMean:
    """The plain mean of some of the members: of how many is found by cross-validation, of which on all rows.

    Subsets of at most 10 members are all tried; of more, members are added one by one.
    """
    values = outputs.values[outputs.present]
    errors = np.zeros(len(values))
    for train, held in folds(len(truth)):
        for size, chosen in enumerate(_best_subsets(values[:, train], truth[train])):
            errors[size] += float(((truth[held] - values[chosen][:, held].mean(axis=0)) ** 2).sum())
    chosen = _best_subsets(values, truth)[int(errors.argmin())]
    weights = np.zeros(len(outputs.values))
    weights[np.flatnonzero(outputs.present)[chosen]] = 1.0 / len(chosen)
    return WeightedMean(weights)


def _best_subsets(values: NDArray[np.float64], truth: Matrix) -> list[NDArray[np.intp]]:
    """The best subset of each size 1..m, by the squared error of its mean."""
    deviations = (values - truth[None]).reshape(len(values), -1)
    gram = deviations @ deviations.T
    return _exact_subsets(gram) if len(gram) <= _MOST_EXACT else _greedy_subsets(gram)


def _exact_subsets(gram: Matrix) -> list[NDArray[np.intp]]:
    size = len(gram)
    masks = (np.arange(1, 2**size)[:, None] >> np.arange(size)) & 1
    counts = masks.sum(axis=1)
    errors = np.einsum("si,ij,sj->s", masks, gram, masks) / counts**2
    of_size = [np.flatnonzero(counts == count) for count in range(1, size + 1)]
    return [np.flatnonzero(masks[group[errors[group].argmin()]]) for group in of_size]


def _greedy_subsets(gram: Matrix) -> list[NDArray[np.intp]]:
    chosen: list[int] = []
    path = []
    for _ in range(len(gram)):
        left = [i for i in range(len(gram)) if i not in chosen]
        chosen.append(min(left, key=lambda i: gram[np.ix_([*chosen, i], [*chosen, i])].sum()))
        path.append(np.array(chosen, dtype=np.intp))
    return path


def feature_augment(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> Modelled:
    """A linear model of the rows and of what the members say: ridge for numbers, logistic for classes."""
    seen = augmented(outputs, features, shares)
    model = _fitted(_linear(outputs.classes), seen, _target(outputs, truth))
    return Modelled(model, shares, truth.shape[1], augmented=True)


def own_linear(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> Modelled:
    """A linear model of the labelled rows alone."""
    return _alone(_linear(outputs.classes), outputs, features, truth)


def own_trees(outputs: Outputs, features: Matrix, truth: Matrix, shares: Shares) -> Modelled:
    """Randomised trees on the labelled rows alone."""
    kind = ExtraTreesClassifier if outputs.classes else ExtraTreesRegressor
    return _alone(kind(_TREES, min_samples_leaf=2, random_state=0), outputs, features, truth)


def _alone(model: BaseEstimator, outputs: Outputs, features: Matrix, truth: Matrix) -> Modelled:
    fitted = _fitted(model, features, _target(outputs, truth))
    return Modelled(fitted, np.zeros(len(outputs.values)), truth.shape[1], augmented=False)


def _fitted(model: BaseEstimator, seen: Matrix, target: NDArray[np.generic]) -> BaseEstimator:
    """The model fitted; where the labels show one class or one row only, one that always says that."""
    if is_classifier(model) and len(np.unique(target)) == 1:
        model = DummyClassifier()
    elif len(target) == 1:
        model = DummyRegressor()
    return model.fit(seen, target)


def _linear(classes: bool) -> BaseEstimator:  # noqa: FBT001
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000) if classes else RidgeCV(_RIDGES))


def _target(outputs: Outputs, truth: Matrix) -> NDArray[np.generic]:
    if outputs.classes:
        return np.asarray(truth.argmax(axis=1))
    return truth[:, 0] if truth.shape[1] == 1 else truth
