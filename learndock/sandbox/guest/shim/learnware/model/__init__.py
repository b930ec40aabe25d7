"""`BaseModel` and `TorchModel` as packages know them."""

from __future__ import annotations

from .base import BaseModel
from .torch_model import TorchModel

__all__ = ["BaseModel", "TorchModel"]
