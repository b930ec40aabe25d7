"""An experiment: owners who trained models, and users who have rows to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.member import Inputs, Predictor
from learndock.rkme.specification import Specification

Array = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Owner:
    """A learnware in the market."""

    name: str
    model: Predictor
    specification: Specification
    semantic: SemanticSpecification


@dataclass(frozen=True, eq=False)
class User:
    """Somebody with a task.

    Attributes
    ----------
    rows, truth
        What is to be predicted, and what is right.
    pool_rows, pool_truth
        Where labelled rows are drawn from.
    specification
        Of `rows`.
    """

    name: str
    rows: Inputs
    truth: Array
    pool_rows: Inputs
    pool_truth: Array
    specification: Specification


@dataclass(frozen=True, eq=False)
class Experiment:
    """Owners and users of one data set.

    Attributes
    ----------
    classes
        Number of classes; 0 for a regression, whose loss is the root of the mean squared error. The loss of a
        classification is its share of wrong answers.
    label_counts
        How many labelled rows users are given.
    labelled_users
        How many of the users are played with labels.
    """

    name: str
    title: str
    owners: Sequence[Owner]
    users: Sequence[User]
    classes: int
    label_counts: Sequence[int]
    labelled_users: int

    def loss(self, predicted: Array, truth: Array) -> float:
        """Loss of predictions."""
        if self.classes:
            return float((predicted.reshape(-1) != truth).mean())
        return float(np.sqrt(((predicted.reshape(-1).astype(np.float64) - truth) ** 2).mean()))


def meaning(name: str, data: str, classes: int, columns: Sequence[str]) -> SemanticSpecification:
    """What an owner's model is for; a regression where there are no classes."""
    return SemanticSpecification(
        name,
        "",
        data,
        "Classification" if classes else "Regression",
        "Scikit-learn",
        ("Others",),
        input=FeatureSpace(len(columns), dict(enumerate(columns))) if columns else None,
        output=FeatureSpace(classes or 1),
    )


def taken(rows: Inputs, chosen: NDArray[np.intp]) -> Inputs:
    """Some of the rows."""
    return rows[chosen] if isinstance(rows, np.ndarray) else [rows[i] for i in chosen]
