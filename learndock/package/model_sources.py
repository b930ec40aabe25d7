"""Source texts of the model classes that built packages carry. They run in a sandbox, beside the shim of the engine."""

ESTIMATOR = '''"""A fitted scikit-learn estimator."""

import os
import pickle

from learnware.model import BaseModel
import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Model(BaseModel):
    """Rows of numbers, or texts where `input_shape` is None, to probabilities, labels or values."""

    def __init__(self, input_shape, output_shape, method, columns):
        super().__init__(
            input_shape=None if input_shape is None else tuple(input_shape), output_shape=tuple(output_shape)
        )
        self._is_text = input_shape is None
        self._shape = tuple(output_shape)
        self._method = method
        self._columns = columns
        with open(os.path.join(FOLDER, "model.pkl"), "rb") as file:
            self._estimator = pickle.load(file)

    def predict(self, X):
        rows = list(X) if self._is_text else np.asarray(X, dtype=np.float64).reshape(len(X), -1)
        outputs = np.asarray(getattr(self._estimator, self._method)(rows))
        if self._columns is None:
            return outputs.reshape(len(rows), *self._shape)
        placed = np.zeros((len(rows), *self._shape))
        placed[:, self._columns] = outputs
        return placed
'''

TORCH = '''"""A Torch module as TorchScript, which needs no source of its class."""

import os

from learnware.model import BaseModel
import numpy as np
import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Model(BaseModel):
    """Arrays to what the module returns, or to probabilities where `method` is predict_proba."""

    def __init__(self, input_shape, output_shape, method):
        super().__init__(input_shape=tuple(input_shape), output_shape=tuple(output_shape))
        self._input_shape = tuple(input_shape)
        self._output_shape = tuple(output_shape)
        self._method = method
        self._module = torch.jit.load(os.path.join(FOLDER, "model.pt"), map_location="cpu").eval()

    def predict(self, X):
        rows = torch.as_tensor(np.asarray(X, dtype=np.float32)).reshape(len(X), *self._input_shape)
        with torch.no_grad():
            outputs = self._module(rows)
            if self._method == "predict_proba":
                outputs = torch.softmax(outputs, dim=1)
        return outputs.reshape(len(rows), *self._output_shape).numpy()
'''

REUSER = '''"""Several learnwares that answer as one; beside it are their packages and the strategies' own code."""

import os
import sys

from learnware.model import BaseModel

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, FOLDER)


class Model(BaseModel):
    """Rows of numbers, or texts where `input_shape` is None, to probabilities or values."""

    def __init__(self, input_shape, output_shape, members):
        super().__init__(
            input_shape=None if input_shape is None else tuple(input_shape), output_shape=tuple(output_shape)
        )
        self._is_text = input_shape is None
        from learndock.reuse.saved import load

        self._reuser = load(FOLDER, members)

    def predict(self, X):
        return self._reuser.predict(list(X) if self._is_text else X)
'''
