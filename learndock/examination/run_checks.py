"""What can be said of a model by running it in its sandbox. Each check assumes that those before it passed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
import math
import string
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learndock.examination.report import Outcome, failed, passed, skipped, warned
from learndock.learnware import Modality, SemanticSpecification
from learndock.rkme.specification import Specification
from learndock.sandbox.guest.framing import Value
from learndock.sandbox.model_process import ModelProcess, Prediction

RANDOM_ITEMS = 10
_LATENCY_CALLS, _LATENCY_SECONDS = 30, 5.0
_TOLERANCE = 1e-4
# Labels may tip over where a model is undecided, when the same sums are made in another order.
_TIPPED_SHARE = 0.02
_NUMERIC_TASKS = ("Classification", "Regression", "Feature Extraction")
_TEXT_ALPHABET = np.array(list(string.ascii_letters + string.digits + " .,"))


@dataclass(frozen=True, eq=False)
class Trial:
    """A batch, what it is called in messages, and what the model made of it."""

    name: str
    inputs: Value
    prediction: Prediction

    @property
    def outputs(self) -> NDArray[Any]:
        """Outputs as numbers, first axis the batch; one-dimensional ones as a column."""
        values = np.asarray(self.prediction.values)
        return values[:, None] if values.ndim == 1 else values


class RunChecks:
    """The checks on one running model.

    Parameters
    ----------
    model
        The model.
    semantic, specification
        What it says that it is for.
    seconds
        Time for one batch.
    generator
        Of the random inputs.
    """

    def __init__(
        self,
        model: ModelProcess,
        semantic: SemanticSpecification,
        specification: Specification | None,
        *,
        seconds: float,
        generator: np.random.Generator,
    ) -> None:
        self._model = model
        self._semantic = semantic
        self._specification = specification
        self._seconds = seconds
        self._generator = generator
        self._trials: dict[str, Trial] = {}
        self.latencies: tuple[float, ...] = ()

    @property
    def atom_outputs(self) -> NDArray[np.generic] | None:
        """What the model made of the specification's atoms, where it has such and returned numbers."""
        trial = self._trials.get("atoms")
        return None if trial is None or isinstance(trial.prediction.values, list) else trial.prediction.values

    def input_shape(self) -> Outcome:
        """The model's input shape agrees with both specifications."""
        shape = self._model.input_shape
        if self._semantic.data == "Text":
            return passed("texts have no shape")
        if shape is None:
            return failed(f"A model of {self._semantic.data.lower()} data must tell its input_shape.")
        if self._semantic.data != "Table":
            return passed(f"{shape}")
        described = self._semantic.input
        if described is not None and shape != (described.dimension,):
            return failed(f"The model takes {shape}, the semantic specification describes ({described.dimension},).")
        if self._specification is not None and shape != self._specification.item_shape:
            return failed(f"The model takes {shape}, the specification's atoms are {self._specification.item_shape}.")
        return passed(f"{shape}, as in the specifications")

    def predicts_atoms(self) -> Outcome:
        """It predicts on the specification's own atoms."""
        specification = self._specification
        if specification is None or specification.modality is not Modality.TABLE:
            return skipped("Only the atoms of tables are inputs of the model itself.")
        atoms = specification.atoms.astype(np.float64).reshape(specification.atom_count, *specification.item_shape)
        return self._try("atoms", atoms)

    def predicts_random(self) -> Outcome:
        """It predicts on random input of the declared kind."""
        return self._try("random input", self._random_inputs())

    def _try(self, name: str, inputs: Value) -> Outcome:
        trial = Trial(name, inputs, self._model.observe(inputs, self._seconds))
        self._trials[name] = trial
        return passed(f"{len(inputs)} items in {trial.prediction.seconds:.3g} s")

    def _random_inputs(self) -> Value:
        if self._semantic.data == "Text":
            lengths = self._generator.integers(10, 1001, size=RANDOM_ITEMS)
            return ["".join(self._generator.choice(_TEXT_ALPHABET, size=length)) for length in lengths]
        shape = (RANDOM_ITEMS, *(self._model.input_shape or ()))
        if self._semantic.data == "Image":
            return self._generator.integers(0, 255, size=shape)
        return self._generator.standard_normal(size=shape)

    def output_length(self) -> Outcome:
        """There are as many outputs as inputs."""
        for trial in self._trials.values():
            values = trial.prediction.values
            if not isinstance(values, list) and values.ndim == 0:
                return failed(f"For {trial.name} it returns a single number.")
            if len(values) != len(trial.inputs):
                return failed(f"For {len(trial.inputs)} items of {trial.name} it returns {len(values)} outputs.")
        return passed("one output for each input")

    def output_type(self) -> Outcome:
        """Outputs are an array or a tensor where the task wants numbers."""
        if not self._wants_numbers:
            return skipped("The task leaves the type open.")
        for trial in self._trials.values():
            if trial.prediction.container not in ("ndarray", "Tensor") or isinstance(trial.prediction.values, list):
                return failed(f"For {trial.name} it returns {trial.prediction.container}, not an ndarray or a tensor.")
        return passed("array or tensor of numbers")

    @property
    def _wants_numbers(self) -> bool:
        return self._model.output_shape is not None or self._semantic.task in _NUMERIC_TASKS

    def output_shape(self) -> Outcome:
        """One output has the declared shape."""
        declared = self._model.output_shape
        if not self._wants_numbers:
            return skipped("The task leaves the shape open.")
        if declared is None:
            return failed(f"A model for {self._semantic.task} must tell its output_shape.")
        for trial in self._trials.values():
            if trial.outputs.shape[1:] != declared:
                return failed(f"For {trial.name} outputs are {trial.outputs.shape[1:]}, declared are {declared}.")
        return passed(f"{declared}, as declared")

    def finite(self) -> Outcome:
        """No output is NaN or infinite."""
        for trial in self._trials.values():
            if not isinstance(trial.prediction.values, list) and not np.isfinite(trial.outputs).all():
                return failed(f"For {trial.name} an output is NaN or infinite.")
        return passed("all outputs are finite")

    def output_values(self) -> Outcome:
        """Labels, probabilities and values fit the described output."""
        declared, described = self._model.output_shape, self._semantic.output
        if declared is None or described is None or self._semantic.task not in ("Classification", "Regression"):
            return skipped("The task leaves the values open.")
        if self._semantic.task == "Classification" and declared[0] == 1:
            return self._labels(described.dimension)
        if declared[0] != described.dimension:
            return failed(f"The model has {declared[0]} outputs, the semantic specification {described.dimension}.")
        return passed(f"{described.dimension} outputs, as described")

    def _labels(self, classes: int) -> Outcome:
        for trial in self._trials.values():
            outputs = trial.outputs
            if (outputs < 0).any() or (outputs >= classes).any():
                return failed(f"For {trial.name} a label is outside of 0 to {classes - 1}.")
        return passed(f"labels from 0 to {classes - 1}")

    def repeatable(self) -> Outcome:
        """The same input gives the same output."""
        return self._compared("The same input gives different outputs", order=None)

    def row_order(self) -> Outcome:
        """An output does not depend on where its input stands in the batch."""
        trial = next(iter(self._trials.values()))
        return self._compared(
            "An output depends on the other inputs of its batch", order=self._generator.permutation(len(trial.inputs))
        )

    def _compared(self, complaint: str, *, order: NDArray[np.intp] | None) -> Outcome:
        trial = next(iter(self._trials.values()))
        rows = np.arange(len(trial.inputs)) if order is None else order
        again = self._model.predict(_taken(trial.inputs, rows), self._seconds)
        if _same(_taken(trial.prediction.values, rows), again):
            return passed("the same outputs")
        return failed(f"{complaint}.") if self._semantic.task in _NUMERIC_TASKS else warned(f"{complaint}.")

    def latency(self) -> Outcome:
        """How long a small batch takes."""
        inputs = self._trials["random input"].inputs
        self.latencies = tuple(self._timed(inputs))
        p50, p99 = self.latency_quantile(0.5), self.latency_quantile(0.99)
        return passed(f"p50 {p50:.3g} s, p99 {p99:.3g} s for {RANDOM_ITEMS} items")

    def _timed(self, inputs: Value) -> Iterator[float]:
        end = time.monotonic() + _LATENCY_SECONDS
        for _ in range(_LATENCY_CALLS):
            started = time.perf_counter()
            self._model.predict(inputs, self._seconds)
            yield time.perf_counter() - started
            if time.monotonic() > end:
                return

    def latency_quantile(self, share: float) -> float:
        """Quantile of the measured times in seconds, 0 before they were measured."""
        return float(np.quantile(self.latencies, share)) if self.latencies else 0.0

    def memory(self) -> Outcome:
        """How much memory it took."""
        return passed(f"at most {math.ceil(self._model.peak_memory_bytes / 2**20)} MiB")


def _taken(values: Value, rows: NDArray[np.intp]) -> Value:
    return [values[row] for row in rows] if isinstance(values, list) else values[rows]


def _same(first: Value, second: Value) -> bool:
    if isinstance(first, list) or isinstance(second, list):
        return first is second or (isinstance(first, list) and isinstance(second, list) and first == second)
    if first.shape != second.shape:
        return False
    if first.dtype.kind in "biu" and second.dtype.kind in "biu":
        different = int((first != second).reshape(len(first), -1).any(axis=1).sum())
        return different <= _TIPPED_SHARE * len(first)
    return bool(np.allclose(first, second, rtol=_TOLERANCE, atol=_TOLERANCE))
