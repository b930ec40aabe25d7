"""One package from its first check to its last, or to the first that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
import threading
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learndock.errors import Cancelled, InvalidInput, LearndockError, Reason
from learndock.examination.report import (
    CHECKS,
    CheckResult,
    CheckVerdict,
    Outcome,
    ValidationReport,
    failed,
    passed,
    warned,
)
from learndock.examination.run_checks import RunChecks
from learndock.examination.static_checks import fault_outcomes, static_outcomes
from learndock.learnware import SemanticSpecification
from learndock.package.confined import inspect_confined
from learndock.package.inspection import Inspection
from learndock.sandbox.environment import Environment
from learndock.sandbox.faults import ModelFault
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess

_SEED = 20240131

Watcher = Callable[[str, int, ValidationReport], None]
"""Is told the check that begins, how much is done in percent, and the report so far; may raise to stop."""


Keep = Callable[[ModelProcess], None]


@dataclass(frozen=True, eq=False)
class Findings:
    """The report, and what the model made of the specification's atoms where it is verified."""

    report: ValidationReport
    atom_outputs: NDArray[np.generic] | None = None

    @property
    def is_verified(self) -> bool:
        """Whether no check failed."""
        return not self.report.reason


class Sandboxes(Protocol):
    """Where models run, found when it is first needed."""

    @property
    def executor_name(self) -> str:
        """Name of the executor in use."""

    def launcher(self) -> LearnwareLauncher:
        """Starts the models of packages; FailedPrecondition (NO_SANDBOX) where none can."""


class _Rejected(Exception):
    """A check failed; the rest is not looked at."""


class Examination:
    """Examines one package; `abort` ends it from another thread.

    Parameters
    ----------
    sandboxes
        Where its model runs.
    predict_seconds
        Time for one batch.
    watcher
        Follows it.
    keep
        Gets the running model of a package that passed all checks, and closes it; None to have it closed.
    """

    def __init__(
        self, sandboxes: Sandboxes, *, predict_seconds: float, watcher: Watcher, keep: Keep | None = None
    ) -> None:
        self._sandboxes = sandboxes
        self._predict_seconds = predict_seconds
        self._watcher = watcher
        self._keep = keep
        self._report = ValidationReport()
        self._lock = threading.Lock()
        self._model: ModelProcess | None = None
        self._aborted = False

    def run(self, package: Path, semantic: SemanticSpecification | None) -> Findings:
        """Examine the package at `package`; `semantic` takes the place of its own.

        Raises
        ------
        Cancelled
            It was aborted.
        FailedPrecondition
            NO_SANDBOX.
        LearndockError
            Whatever else is no fault of the package, such as Unavailable.
        """
        atom_outputs = None
        try:
            inspection, semantic = self._inspect(package, semantic)
            atom_outputs = self._run_model(package, semantic, inspection)
        except _Rejected:
            atom_outputs = None
        return Findings(self._report, atom_outputs)

    def abort(self) -> None:
        """Stop at once."""
        with self._lock:
            self._aborted = True
            model = self._model
        if model is not None:
            model.close()

    def _inspect(
        self, package: Path, semantic: SemanticSpecification | None
    ) -> tuple[Inspection, SemanticSpecification]:
        self._begin(CHECKS[0])
        started = time.perf_counter()
        try:
            inspection = inspect_confined(package, semantic)
        except LearndockError as error:
            self._add_all(fault_outcomes(error), time.perf_counter() - started)
            raise _Rejected from error
        self._report = replace(self._report, format_class=inspection.scan.format_class)
        self._add_all(static_outcomes(inspection), time.perf_counter() - started)
        assert inspection.semantic is not None  # noqa: S101  # its check has passed
        return inspection, inspection.semantic

    def _run_model(
        self, package: Path, semantic: SemanticSpecification, inspection: Inspection
    ) -> NDArray[np.generic] | None:
        launcher = self._sandboxes.launcher()
        self._report = replace(self._report, executor=self._sandboxes.executor_name)
        self._check("environment", lambda: _installed(launcher.environment_of(package, self._go_on)))

        def load() -> Outcome:
            model = launcher.open(package, self._go_on)
            self._adopt(model)
            return passed(f"input_shape {model.input_shape}, output_shape {model.output_shape}")

        try:
            self._check("loads", load)
            assert self._model is not None  # noqa: S101  # it is loaded
            outputs = self._observe(self._model, semantic, inspection)
            self._part_with(self._model)
            return outputs
        finally:
            if self._model is not None:
                self._model.close()
                self._report = replace(self._report, log_tail=self._model.log_tail)

    def _part_with(self, model: ModelProcess) -> None:
        """Give a model that passed to whoever keeps such."""
        if self._keep is None:
            return
        with self._lock:
            if self._aborted:
                return
            self._model = None
        self._report = replace(self._report, log_tail=model.log_tail)
        self._keep(model)

    def _adopt(self, model: ModelProcess) -> None:
        with self._lock:
            self._model = model
            aborted = self._aborted
        if aborted:
            model.close()

    def _observe(
        self, model: ModelProcess, semantic: SemanticSpecification, inspection: Inspection
    ) -> NDArray[np.generic] | None:
        checks = RunChecks(
            model,
            semantic,
            inspection.specification,
            seconds=self._predict_seconds,
            generator=np.random.default_rng(_SEED),
        )
        try:
            for name in CHECKS[CHECKS.index("loads") + 1 :]:
                self._check(name, getattr(checks, name))
        finally:
            self._report = replace(
                self._report,
                latency_p50_seconds=checks.latency_quantile(0.5),
                latency_p99_seconds=checks.latency_quantile(0.99),
                peak_memory_bytes=model.peak_memory_bytes,
            )
        return checks.atom_outputs

    def _check(self, name: str, look: Callable[[], Outcome]) -> None:
        self._begin(name)
        started = time.perf_counter()
        try:
            outcome = look()
        except ModelFault as fault:
            self._stop_if_aborted()
            self._report = replace(self._report, log_tail=fault.log_tail)
            outcome = failed(f"{fault.kind}: {fault.message}")
        except InvalidInput as error:
            outcome = failed(error.message)
        self._add(name, outcome, time.perf_counter() - started)

    def _begin(self, name: str) -> None:
        self._stop_if_aborted()
        self._watcher(name, 100 * CHECKS.index(name) // len(CHECKS), self._report)

    def _go_on(self, _: str) -> None:
        self._stop_if_aborted()

    def _stop_if_aborted(self) -> None:
        if self._aborted:
            raise Cancelled(Reason.CANCELLED, "The examination was stopped.")

    def _add_all(self, outcomes: Iterable[tuple[str, Outcome]], seconds: float) -> None:
        """Lines that one look made; the first carries its time."""
        for name, outcome in outcomes:
            self._add(name, outcome, seconds)
            seconds = 0.0

    def _add(self, name: str, outcome: Outcome, seconds: float) -> None:
        line = CheckResult(name, outcome.verdict, outcome.message[:1000], seconds)
        self._report = replace(self._report, checks=(*self._report.checks, line))
        if outcome.verdict is CheckVerdict.FAILED:
            raise _Rejected


def _installed(environment: Environment) -> Outcome:
    count = f"{len(environment.lock)} packages installed"
    if environment.relaxed:
        return warned(f"{count}; taken in place of what cannot be had: {', '.join(environment.relaxed)}")
    return passed(count)
