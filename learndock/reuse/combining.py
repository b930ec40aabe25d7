"""Ways to make one answer of the members' outputs: weighted means, and models that see outputs and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from learndock.reuse.gathering import Matrix, Outputs
from learndock.reuse.routing import Router


class Combiner(Protocol):
    """Makes one answer of the outputs of m members."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each member counts, float64 [m], summing to 1, or to 0 where none is asked."""

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """Numbers or class probabilities, float64 [n, c], of rows whose features are [n, d]."""


@dataclass(frozen=True, eq=False)
class WeightedMean:
    """sum_i w_i f_i(x), the weights of absent members shared out among the others."""

    weights: NDArray[np.float64]

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """See `Combiner`."""
        return outputs.mean(self.weights)


@dataclass(frozen=True, eq=False)
class Routed:
    """The members' mean, each row weighted by how likely it is whose; see `Router.shares`."""

    router: Router
    weights: NDArray[np.float64]

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """See `Combiner`."""
        return outputs.blended(self.router.shares(features, outputs.present))


@dataclass(frozen=True, eq=False)
class Modelled:
    """A model fitted on labelled rows, which sees the rows and, where `augmented`, what the members say of them.

    Attributes
    ----------
    model
        scikit-learn estimator.
    weights
        Of the members; they fill the place of an absent one.
    columns
        Number of outputs c.
    augmented
        Whether the members' outputs are among the model's features.
    """

    model: Any
    weights: NDArray[np.float64]
    columns: int
    augmented: bool

    def combine(self, outputs: Outputs, features: Matrix) -> Matrix:
        """See `Combiner`."""
        seen = augmented(outputs, features, self.weights) if self.augmented else features
        if not outputs.classes:
            return np.asarray(self.model.predict(seen), dtype=np.float64).reshape(len(features), -1)
        answer = np.zeros((len(features), self.columns))
        answer[:, self.model.classes_.astype(np.intp)] = self.model.predict_proba(seen)
        return answer


def augmented(outputs: Outputs, features: Matrix, weights: NDArray[np.float64]) -> Matrix:
    """Features with the members' outputs beside them, float64 [n, d + m c]."""
    said = np.moveaxis(outputs.completed(weights), 0, 1)
    return np.hstack([features, said.reshape(len(said), -1)])
