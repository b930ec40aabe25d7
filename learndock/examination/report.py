"""What a validation finds, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from learndock.learnware import FormatClass

CHECKS = (
    "archive",
    "manifest",
    "semantic",
    "specification",
    "requirements",
    "scan",
    "environment",
    "loads",
    "input_shape",
    "predicts_atoms",
    "predicts_random",
    "output_length",
    "output_type",
    "output_shape",
    "finite",
    "output_values",
    "repeatable",
    "row_order",
    "latency",
    "memory",
)
"""Names of all checks, in order; docs/checks.md describes each."""


class ValidationState(StrEnum):
    """Where a validation stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (ValidationState.QUEUED, ValidationState.RUNNING)


class CheckVerdict(StrEnum):
    """Result of one check."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    WARNING = "WARNING"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Outcome:
    """What a check found: its verdict, and one line about it."""

    verdict: CheckVerdict
    message: str


@dataclass(frozen=True)
class CheckResult:
    """A line of a validation report.

    Attributes
    ----------
    name
        Name of the check, one of `CHECKS`.
    verdict
        Its result.
    message
        What was found, one line.
    seconds
        How long it took.
    """

    name: str
    verdict: CheckVerdict
    message: str
    seconds: float


@dataclass(frozen=True)
class ValidationReport:
    """What validation found, so far or in the end.

    Attributes
    ----------
    checks
        Every check in order.
    format_class
        How the model is stored; None before it was examined.
    latency_p50_seconds, latency_p99_seconds
        Time of a prediction of one batch; 0 when it was not measured.
    peak_memory_bytes
        Peak resident memory of the model's process; 0 when it was not measured.
    executor
        What ran it, such as "docker" or "bubblewrap"; empty when nothing ran.
    log_tail
        Last of what the model printed.
    """

    checks: tuple[CheckResult, ...] = ()
    format_class: FormatClass | None = None
    latency_p50_seconds: float = 0.0
    latency_p99_seconds: float = 0.0
    peak_memory_bytes: int = 0
    executor: str = ""
    log_tail: str = ""

    @property
    def reason(self) -> str:
        """The first failed check in one line; empty when none failed."""
        return next((f"{line.name}: {line.message}" for line in self.checks if line.verdict is CheckVerdict.FAILED), "")


def passed(message: str) -> Outcome:
    """All is as it should be."""
    return Outcome(CheckVerdict.PASSED, message)


def failed(message: str) -> Outcome:
    """The package is at fault."""
    return Outcome(CheckVerdict.FAILED, message)


def warned(message: str) -> Outcome:
    """Worth knowing."""
    return Outcome(CheckVerdict.WARNING, message)


def skipped(message: str) -> Outcome:
    """Does not apply."""
    return Outcome(CheckVerdict.SKIPPED, message)
