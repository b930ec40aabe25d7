"""The reference's wrapper of a torch module."""

from __future__ import annotations

from typing import Any

from .base import BaseModel


class TorchModel(BaseModel):
    """A model whose predictions are those of a torch module.

    Parameters
    ----------
    model
        The module.
    input_shape, output_shape
        Shape of one item.
    """

    def __init__(self, model: Any, input_shape: Any = None, output_shape: Any = None) -> None:  # noqa: ANN401
        super().__init__(input_shape=input_shape, output_shape=output_shape)
        self._nn_model = model

    @property
    def nn_model(self) -> Any:  # noqa: ANN401
        """The module."""
        return self._nn_model

    def predict(self, X: Any) -> Any:  # noqa: ANN401, N803
        """Outputs of the module on a tensor or array, without gradients."""
        import torch

        with torch.no_grad():
            return self._nn_model(torch.as_tensor(X))
