"""What all reuse strategies have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from learndock.errors import InvalidInput, Reason
from learndock.reuse.member import Inputs, Member
from learndock.reuse.occurrence import Occurrence
from learndock.reuse.outputs import ClassSet, OutputKind, labels_of
from learndock.reuse.prediction import Prediction
from learndock.reuse.priors import with_priors
from learndock.reuse.support import Support

_Self = TypeVar("_Self", bound="Reuser")


class Reuser(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn carries no types
    """Members answering as one.

    Parameters
    ----------
    members
        1 or more, the most important first.
    timeout
        Seconds that each member has for one batch; None for no limit.
    """

    def __init__(self, members: Sequence[Member], *, timeout: float | None = None) -> None:
        self.members = members
        self.timeout = timeout

    def fit(self: _Self, X: Inputs | None = None, y: object = None) -> _Self:
        """Make ready to predict. Needs neither rows nor labels; both are there for scikit-learn's sake."""
        self.class_set_ = ClassSet.of([member.semantic.output for member in self.members])
        self.support_ = Support.of(self.members)
        self.occurrence_: Occurrence | None = None
        return self

    def adapt(self, X: Inputs) -> Prediction:
        """Learn from a task's rows, without labels, which classes occur in it; see `Occurrence.among`.

        Answers of class probabilities are weighed accordingly from then on, the returned one of these rows first.
        Others stay as they are. What an earlier call taught is forgotten. Errors as of `answer`.
        """
        prediction = self._answer(X, self.timeout)
        self.occurrence_ = Occurrence.of(prediction)
        return self.occurrence_.weighed(prediction) if self.occurrence_ else prediction

    def outside(self, X: Inputs) -> NDArray[np.bool_] | None:
        """Rows unlike anything that a member was trained on, bool [n]; None where the specifications cannot tell.

        Whoever would rather have no answer than a guess leaves these rows out.
        """
        rows = np.asarray(X)
        if self.support_ is None or not np.issubdtype(rows.dtype, np.number):
            return None
        return self.support_.outside(rows) if rows[0].size == self.support_.atoms[0].shape[1] else None

    def answer(self, X: Inputs, *, timeout: float | None = None) -> Prediction:
        """Outputs as the members give them, with who answered and who failed.

        Parameters
        ----------
        X
            Rows [n, ...] or texts.
        timeout
            Seconds that each member has for this batch; the reuser's own when None.

        Raises
        ------
        Unavailable
            No member could answer (NO_MEMBER_LEFT).
        """
        prediction = self._answer(X, self.timeout if timeout is None else timeout)
        return self.occurrence_.weighed(prediction) if self.occurrence_ else prediction

    @abstractmethod
    def _answer(self, X: Inputs, timeout: float | None) -> Prediction:
        """`answer`, before it is known which classes occur."""

    def predict(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.generic]:
        """Labels, int64 [n], of a classification; the members' numbers otherwise. `priors` as of `predict_proba`."""
        if priors is not None:
            return labels_of(self.predict_proba(X, priors=priors))
        prediction = self.answer(X)
        if prediction.kind is OutputKind.VALUES:
            return prediction.outputs
        return labels_of(self._probabilities(prediction))

    def predict_proba(self, X: Inputs, *, priors: Sequence[float] | None = None) -> NDArray[np.float64]:
        """Class probabilities, float64 [n, c]; sure of its labels where the members give labels only.

        Parameters
        ----------
        X
            Rows [n, ...] or texts.
        priors
            How frequent each class is known to be among these rows, see `priors.with_priors`; None where it is not.

        Raises
        ------
        InvalidInput
            The members do not classify (STRATEGY_UNSUITABLE), or the priors do not suit them (SHAPE_MISMATCH).
        """
        if not self.members[0].classifies:
            raise InvalidInput(Reason.STRATEGY_UNSUITABLE, "The members do not classify; there are no probabilities.")
        probabilities = self._probabilities(self.answer(X))
        return probabilities if priors is None else with_priors(probabilities, priors)

    def _probabilities(self, prediction: Prediction) -> NDArray[np.float64]:
        # Outputs stand in the common order of classes, which begins with the first member's own.
        whole = ClassSet(self.class_set_.size, (np.arange(self.class_set_.size, dtype=np.intp),))
        return whole.spread(0, prediction.outputs, prediction.kind)
