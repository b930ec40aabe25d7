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


class Verdict(StrEnum):
    """Result of one check."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    WARNING = "WARNING"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Outcome:
    """What a check found: its verdict, and one line about it."""

    verdict: Verdict
    message: str


@dataclass(frozen=True)
class CheckLine:
    """A line of a report; `seconds` is how long the check took."""

    name: str
    verdict: Verdict
    message: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """What was found, so far or in the end; see `learndock.v1.ValidationReport`."""

    checks: tuple[CheckLine, ...] = ()
    format_class: FormatClass | None = None
    latency_p50_seconds: float = 0.0
    latency_p99_seconds: float = 0.0
    peak_memory_bytes: int = 0
    executor: str = ""
    log_tail: str = ""

    @property
    def reason(self) -> str:
        """The first failed check in one line; empty when none failed."""
        return next((f"{line.name}: {line.message}" for line in self.checks if line.verdict is Verdict.FAILED), "")


def passed(message: str) -> Outcome:
    """All is as it should be."""
    return Outcome(Verdict.PASSED, message)


def failed(message: str) -> Outcome:
    """The package is at fault."""
    return Outcome(Verdict.FAILED, message)


def warned(message: str) -> Outcome:
    """Worth knowing."""
    return Outcome(Verdict.WARNING, message)


def skipped(message: str) -> Outcome:
    """Does not apply."""
    return Outcome(Verdict.SKIPPED, message)
