"""What takes part in a reuse: something that predicts, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.learnware import SemanticSpecification
from learndock.rkme.specification import Specification

Inputs = NDArray[np.generic] | list[str]


class Predictor(Protocol):
    """Anything that predicts: a sandboxed model, a scikit-learn estimator."""

    def predict(self, X: Inputs) -> NDArray[np.generic]:
        """Outputs, first axis as long as the inputs; may raise anything."""


class Described(Protocol):
    """What is known of a member without running it."""

    @property
    def learnware_id(self) -> str:
        """Whose model it is."""

    @property
    def semantic(self) -> SemanticSpecification:
        """What it is for."""

    @property
    def specification(self) -> Specification | None:
        """What its training inputs looked like; None where that is unknown."""


@dataclass(frozen=True, eq=False)
class Member:
    """A learnware that takes part in a reuse.

    Attributes
    ----------
    model
        Predicts; called from several threads, never from two at a time for one batch.
    specification
        What its training inputs looked like; None where that is unknown.
    semantic
        What it is for.
    weight
        Its share, > 0; shares are renormalised.
    learnware_id
        Whose model it is.

    Raises
    ------
    InvalidInput
        The weight is not positive and finite.
    """

    model: Predictor
    specification: Specification | None
    semantic: SemanticSpecification
    weight: float
    learnware_id: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise InvalidInput(
                Reason.FIELD_INVALID, f"A weight must be positive and finite, not {self.weight}.", field="weight"
            )

    def __sklearn_clone__(self) -> Member:
        # A clone of a reuser asks the same running models: a process cannot be copied, and need not be.
        return self

    @property
    def classifies(self) -> bool:
        """Whether its outputs are classes."""
        return self.semantic.task == "Classification"


def shares(members: Sequence[Member]) -> NDArray[np.float64]:
    """Weights of members, float64 [m], summing to 1."""
    weights = np.array([member.weight for member in members], dtype=np.float64)
    return np.asarray(weights / weights.sum())
