"""The class that models of the reference format derive from; packages import it by this module's name."""

from __future__ import annotations

from typing import Any


class BaseModel:
    """A model that tells the shape of one input and of one output.

    Parameters
    ----------
    input_shape, output_shape
        Shape of one item; None where it varies.
    """

    def __init__(self, input_shape: Any = None, output_shape: Any = None) -> None:  # noqa: ANN401
        self.input_shape = input_shape
        self.output_shape = output_shape

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Outputs for a batch of inputs."""
        raise NotImplementedError("The model defines no predict(X).")

    def fit(self, X: Any, y: Any) -> None:  # noqa: ANN401, N803
        """Train on labelled data."""
        raise NotImplementedError("The model defines no fit(X, y).")

    def finetune(self, X: Any, y: Any) -> None:  # noqa: ANN401, N803
        """Train further on labelled data."""
        raise NotImplementedError("The model defines no finetune(X, y).")
