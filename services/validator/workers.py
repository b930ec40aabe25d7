"""The threads that take validations from the queue and bring each to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
import logging
from pathlib import Path
import threading
import uuid

from learndock.errors import Aborted, Cancelled, FailedPrecondition, Internal, LearndockError, NotFound, Unavailable
from learndock.examination.examination import Examination, Findings
from learndock.examination.report import ValidationReport, ValidationState
from learndock.learnware import VersionState
from learndock.sandbox.model_process import ModelProcess
from learndock.sandbox.owner import is_dead, own_mark
from learndock.serving import telemetry
from learndock.serving.changes import Changes
from learndock.serving.sql import Database
from services.validator import queue
from services.validator.catalogue import Catalogue
from services.validator.heartbeat import Heartbeat
from services.validator.record import Lease
from services.validator.sandboxes import Sandboxes

_IDLE_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0

_log = logging.getLogger(__name__)


Handover = Callable[[str, ModelProcess], None]
"""Takes the loaded model of a verified package, by the package's SHA-256, and closes it in the end."""


@dataclass(frozen=True)
class Terms:
    """How workers work.

    Attributes
    ----------
    workers
        How many there are.
    lease_seconds
        How long a lease holds without a sign of life.
    max_faults
        Faults of the dock after which a validation is given up.
    retry_seconds
        Wait after the first fault; doubles with each.
    predict_seconds
        Time of a model for one batch.
    """

    workers: int
    lease_seconds: float
    max_faults: int
    retry_seconds: float
    predict_seconds: float


class Workers:
    """Validates, each thread one package at a time."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        sandboxes: Sandboxes,
        changes: Changes,
        packages: Path,
        terms: Terms,
        handover: Handover | None = None,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._sandboxes = sandboxes
        self._changes = changes
        self._packages = packages
        self._terms = terms
        self._handover = handover
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._at_work: set[Examination] = set()
        self._threads = [
            threading.Thread(target=self._run, name=f"validator-{number}", daemon=True)
            for number in range(terms.workers)
        ]

    def start(self) -> None:
        """Begin to work, with what dead workers of this machine have left."""
        self._packages.mkdir(parents=True, exist_ok=True)
        for path in self._packages.iterdir():
            if is_dead(path.name):
                path.unlink(missing_ok=True)
        with self._database.write() as session:
            queue.release_dead(session)
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float) -> None:
        """Stop working; what is under way goes back into the queue."""
        self._stopping.set()
        self._changes.tell()
        with self._lock:
            at_work = list(self._at_work)
        for examination in at_work:
            examination.abort()
        for thread in self._threads:
            thread.join(grace)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._changes.count
            try:
                lease = self._take()
                if lease is not None:
                    self._work(lease)
                    continue
            except Exception:  # a thread must outlive whatever happens to one validation
                _log.exception("worker_failed")
            self._changes.wait(seen, _IDLE_SECONDS)

    def _take(self) -> Lease | None:
        with self._database.write() as session:
            lease = queue.take(session, own_mark(), self._terms.lease_seconds)
            telemetry.VALIDATIONS_WAITING.set(queue.waiting(session))
        if lease is not None:
            self._changes.tell()
        return lease

    def _work(self, lease: Lease) -> None:
        """Bring one validation to its end, or back into the queue."""
        try:
            self._attempt(lease)
        except Aborted:
            _log.info("lease_lost", extra={"validation_id": lease.validation_id})
        finally:
            self._changes.tell()

    def _attempt(self, lease: Lease) -> None:
        try:
            if lease.faults >= self._terms.max_faults:
                self._give_up(lease, f"Given up after {lease.faults} faults of the dock.")
            else:
                self._validate(lease)
        except Aborted:
            raise
        except NotFound:
            self._finish(lease, ValidationState.CANCELLED, ValidationReport(), "The version is gone.")
        except Cancelled:
            self._put_back(lease, seconds=0.0, fault=False)
        except FailedPrecondition as error:  # no sandbox: another try would end the same
            self._give_up(lease, f"{error.reason}: {error.message}")
        except Unavailable:  # storage or the database: waited for, and no fault of this validation
            self._put_back(lease, seconds=_PATIENCE_SECONDS, fault=False)
        except Exception as error:
            _log.exception("validation_failed", extra={"validation_id": lease.validation_id})
            self._retry(lease, error)

    def _validate(self, lease: Lease) -> None:
        self._catalogue.record(lease, VersionState.VALIDATING)
        package = self._packages / f"{own_mark()}~{uuid.uuid4().hex}.zip"
        try:
            self._catalogue.download(lease.subject, package)
            findings, model = self._examine(lease, package)
        finally:
            package.unlink(missing_ok=True)
        try:
            self._conclude(lease, findings)
            if model is not None and self._handover is not None:
                self._handover(lease.subject.sha256, model)
                model = None
        finally:
            if model is not None:
                model.close()

    def _examine(self, lease: Lease, package: Path) -> tuple[Findings, ModelProcess | None]:
        kept: list[ModelProcess] = []

        def watch(phase: str, percent: int, report: ValidationReport) -> None:
            with self._database.write() as session:
                queue.note_progress(session, lease, phase, percent, report)
            self._changes.tell()

        examination = Examination(
            self._sandboxes,
            predict_seconds=self._terms.predict_seconds,
            watcher=watch,
            keep=kept.append if self._handover is not None else None,
        )
        with self._lock:
            self._at_work.add(examination)
        try:
            if self._stopping.is_set():
                examination.abort()
            with Heartbeat(self._database, lease, self._terms.lease_seconds, examination.abort):
                return examination.run(package, lease.subject.semantic), next(iter(kept), None)
        except Unavailable as error:  # neither storage's fault nor the package's
            raise Internal(error.reason, error.message) from error
        finally:
            with self._lock:
                self._at_work.discard(examination)

    def _conclude(self, lease: Lease, findings: Findings) -> None:
        report = findings.report
        if findings.is_verified:
            self._catalogue.record(lease, VersionState.VERIFIED, report=report, atom_outputs=findings.atom_outputs)
            self._finish(lease, ValidationState.VERIFIED, report, "")
        else:
            self._catalogue.record(lease, VersionState.REJECTED, report=report, reason=report.reason)
            self._finish(lease, ValidationState.REJECTED, report, report.reason)

    def _retry(self, lease: Lease, error: Exception) -> None:
        if lease.faults + 1 < self._terms.max_faults:
            self._put_back(lease, seconds=self._terms.retry_seconds * 2**lease.faults, fault=True)
        else:
            told = error.message if isinstance(error, LearndockError) else type(error).__name__
            self._give_up(lease, f"Given up after {lease.faults + 1} faults of the dock: {told}")

    def _give_up(self, lease: Lease, reason: str) -> None:
        with self._database.write() as session:
            queue.note_giving_up(session, lease)
        self._catalogue.record(lease, VersionState.UPLOADED, reason=reason)
        self._finish(lease, ValidationState.FAILED, ValidationReport(), reason)

    def _finish(self, lease: Lease, state: ValidationState, report: ValidationReport, reason: str) -> None:
        with self._database.write() as session:
            queue.finish(session, lease, state, report, reason)
        _measure(state, report)
        _log.info("validation_ended", extra={"validation_id": lease.validation_id, "state": state.value})

    def _put_back(self, lease: Lease, *, seconds: float, fault: bool) -> None:
        with self._database.write() as session:
            queue.put_back(session, lease, seconds=seconds, fault=fault)


def _measure(state: ValidationState, report: ValidationReport) -> None:
    telemetry.VALIDATION_SECONDS.labels(state.value).observe(sum(line.seconds for line in report.checks))
    for line in report.checks:
        telemetry.SANDBOX_VERDICTS.labels(line.name, line.verdict.value).inc()
