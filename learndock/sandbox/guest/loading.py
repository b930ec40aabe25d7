"""Finds the model's class in a package and makes the model, as the reference engine does."""

from __future__ import annotations

import importlib
import importlib.util
import operator
import os
import sys
from types import ModuleType
from typing import Any

MODULE_NAME = "learnware_package"


def load_model(folder: str, module_path: str, class_name: str, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    """An instance of the class that a manifest names.

    The module is a package whatever its file's name, so that `from .part import name` works, and the class becomes
    an attribute of `__main__`, so that pickles made in a script or notebook find it.
    """
    if module_path.endswith(".py"):
        module = _module_of_file(os.path.join(folder, module_path))
    else:
        sys.path.append(folder)
        module = importlib.import_module(module_path)
    model_class = getattr(module, class_name)
    setattr(sys.modules["__main__"], class_name, model_class)
    return model_class(**kwargs)


def _module_of_file(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path, submodule_search_locations=[os.path.dirname(path)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE_NAME] = module
    spec.loader.exec_module(module)
    return module


def shape_of(model: object, name: str) -> list[int] | None:
    """A model's `input_shape` or `output_shape`: whole numbers, or None where it has none."""
    shape = getattr(model, name, None)
    if shape is None:
        return None
    try:
        numbers = [operator.index(axis) for axis in shape]
    except TypeError:
        raise ValueError(f"{name} must be a tuple of whole numbers or None, not {shape!r:.80}.") from None
    if not 0 < len(numbers) <= 8 or not all(0 < number < 2**31 for number in numbers):
        raise ValueError(f"{name} must be 1 to 8 positive numbers, not {numbers!r:.80}.")
    return numbers
