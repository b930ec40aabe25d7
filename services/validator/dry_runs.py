"""Examining a package that is sent along, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
import tempfile
import threading

from learndock.errors import InvalidInput, Reason, ResourceExhausted
from learndock.examination.examination import Examination, Findings
from learndock.examination.report import ValidationReport
from learndock.learnware import SemanticSpecification
from learndock.serving import caller
from services.validator.sandboxes import Sandboxes


class DryRuns:
    """Examines packages on request, a few at a time.

    Parameters
    ----------
    sandboxes
        Where their models run.
    folder
        Where a package lies meanwhile.
    at_a_time
        How many at a time; a further one is refused.
    max_bytes
        Largest package.
    predict_seconds
        Time of a model for one batch.
    """

    def __init__(
        self, sandboxes: Sandboxes, folder: Path, *, at_a_time: int, max_bytes: int, predict_seconds: float
    ) -> None:
        self._sandboxes = sandboxes
        self._folder = folder
        self._places = threading.BoundedSemaphore(at_a_time)
        self._max_bytes = max_bytes
        self._predict_seconds = predict_seconds

    def examine(self, pieces: Iterable[bytes], semantic: SemanticSpecification | None) -> Findings:
        """Examine the package that `pieces` make.

        Raises
        ------
        InvalidInput
            PACKAGE_INVALID: what came is no package at all.
        ResourceExhausted
            PACKAGE_TOO_LARGE, or TOO_MANY_REQUESTS.
        FailedPrecondition
            NO_SANDBOX.
        """
        with self._place(), self._written(pieces) as package:
            examination = Examination(self._sandboxes, predict_seconds=self._predict_seconds, watcher=_check_caller)
            findings = examination.run(package, semantic)
        failed = findings.report.checks[-1]
        if findings.report.reason and failed.name == "archive":
            raise InvalidInput(Reason.PACKAGE_INVALID, failed.message, field="package")
        return findings

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise ResourceExhausted(
                Reason.TOO_MANY_REQUESTS, "Other packages are being checked; try again later.", retry_after=10.0
            )
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def _written(self, pieces: Iterable[bytes]) -> Iterator[Path]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".zip") as file:
            size = 0
            for piece in pieces:
                size += len(piece)
                if size > self._max_bytes:
                    raise ResourceExhausted(
                        Reason.PACKAGE_TOO_LARGE, f"Packages have at most {self._max_bytes} bytes.", resource="package"
                    )
                file.write(piece)
            file.flush()
            yield Path(file.name)


def _check_caller(phase: str, percent: int, report: ValidationReport) -> None:
    caller.check_active()
