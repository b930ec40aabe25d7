"""Reuse with labelled rows: what the members say is combined in the way that the labels bear out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.reuse import learning
from learndock.reuse.alignment import output_alignment
from learndock.reuse.combining import Combiner
from learndock.reuse.features import Features
from learndock.reuse.gathering import Matrix, Outputs, gather
from learndock.reuse.member import Inputs, shares
from learndock.reuse.outputs import OutputKind, one_hot
from learndock.reuse.prediction import SEVERAL, Faults, Prediction, in_order
from learndock.reuse.reuser import Reuser

_Self = TypeVar("_Self", bound="LabelledReuser")


class LabelledReuser(Reuser):
    """A reuser that is fitted on rows whose truth is known.

    Attributes
    ----------
    combiner_
        What the labels made of the members.
    fit_faults_
        Members that failed on the labelled rows, by position.
    expected_error_
        Error to expect of new rows; None where the strategy does not measure it.
    """

    expected_error_: float | None = None

    def fit(self: _Self, X: Inputs | None = None, y: object = None) -> _Self:
        """Learn from rows X [n, ...] or texts and their truth y: numbers [n] or [n, c], or class indices [n].

        Raises
        ------
        InvalidInput
            There are no labels (STRATEGY_UNSUITABLE), or they do not fit the rows or the members (SHAPE_MISMATCH).
        Unavailable
            No member could answer (NO_MEMBER_LEFT).
        """
        super().fit()
        if X is None or y is None:
            raise InvalidInput(
                Reason.STRATEGY_UNSUITABLE, f"{type(self).__name__} is fitted on labelled rows.", field="y"
            )
        outputs, self.fit_faults_ = gather(self.members, self.class_set_, X, self.timeout)
        truth = truth_matrix(y, outputs, len(X))
        self.columns_ = truth.shape[1]
        outputs = outputs.widened(self.columns_)
        if outputs.classes:  # the labels may know classes that no member does
            self.class_set_ = replace(self.class_set_, size=self.columns_)
        self.features_ = Features.fit(X)
        self.shares_ = outputs.weights(shares(self.members))
        self.combiner_ = self._learn(outputs, self.features_.of(X), truth)
        return self

    @abstractmethod
    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Combiner:
        """The combiner that the labelled rows call for."""

    def _answer(self, X: Inputs, timeout: float | None) -> Prediction:
        outputs, faults = gather(self.members, self.class_set_, X, timeout)
        return self._combined(outputs.widened(self.columns_), X, faults)

    def _combined(self, outputs: Outputs, X: Inputs, faults: Faults) -> Prediction:
        combined = self.combiner_.combine(outputs, self.features_.of(X))
        kind = OutputKind.PROBABILITIES if outputs.classes else OutputKind.VALUES
        return Prediction(
            outputs=combined if outputs.classes else combined.reshape(len(X), *outputs.item_shape),
            kind=kind,
            member_index=np.full(len(X), SEVERAL, dtype=np.int32),
            faults=in_order(faults),
        )

    @property
    def contributions_(self) -> NDArray[np.float64]:
        """How much each member counts, float64 [m]; sums to 1, or to 0 where the labels alone are used."""
        return self.combiner_.weights


class StackingReuser(LabelledReuser):
    """A convex combination of the members, fitted with their shares as prior; see `learning.stacking`."""

    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Combiner:
        return learning.stacking(outputs, features, truth, self.shares_)


class PruningReuser(LabelledReuser):
    """The plain mean of those members that do best on the labelled rows; see `learning.pruning`."""

    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Combiner:
        return learning.pruning(outputs, features, truth, self.shares_)


class FeatureAugmentReuser(LabelledReuser):
    """A linear model of the rows with the members' outputs beside them; see `learning.feature_augment`."""

    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Combiner:
        return learning.feature_augment(outputs, features, truth, self.shares_)


class HeteroAlignReuser(LabelledReuser):
    """The members' mean, aligned with the labelled rows and corrected by what is left; see `output_alignment`.

    For members from another feature space (`learndock.reuse.mapped`), whose answers are systematically off.
    """

    def _learn(self, outputs: Outputs, features: Matrix, truth: Matrix) -> Combiner:
        return output_alignment(outputs, features, truth, self.shares_)


def truth_matrix(y: object, outputs: Outputs, row_count: int) -> Matrix:
    """Truth as float64 [n, c] beside the members' outputs: numbers, or classes one-hot.

    Raises
    ------
    InvalidInput
        It does not fit (SHAPE_MISMATCH), or is not finite (NOT_FINITE).
    """
    truth = np.asarray(y)
    if truth.ndim == 0 or len(truth) != row_count or not np.issubdtype(truth.dtype, np.number):
        raise _misfit(f"There must be {row_count} labels, numbers, not {truth.dtype} {list(truth.shape)}.")
    if not np.isfinite(truth).all():
        raise InvalidInput(Reason.NOT_FINITE, "A label is NaN or infinite.", field="y")
    truth = truth.reshape(row_count, -1)
    if not outputs.classes:
        if truth.shape[1] != outputs.values.shape[2]:
            raise _misfit(f"The members give {outputs.values.shape[2]} numbers a row, the labels {truth.shape[1]}.")
        return truth.astype(np.float64)
    if truth.shape[1] != 1 or (truth != np.floor(truth)).any() or truth.min() < 0 or truth.max() > _MOST_CLASSES:
        raise _misfit("The members classify: give one class index a row, counted from 0.")
    return one_hot(truth, max(outputs.values.shape[2], int(truth.max()) + 1))


_MOST_CLASSES = 10_000


def _misfit(message: str) -> InvalidInput:
    return InvalidInput(Reason.SHAPE_MISMATCH, message, field="y")
