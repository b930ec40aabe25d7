"""A validation as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from learndock.examination.report import ValidationReport, ValidationState
from learndock.learnware import SemanticSpecification


@dataclass(frozen=True)
class Subject:
    """What is to be validated.

    Attributes
    ----------
    learnware_id, version
        Which package.
    owner_id
        Whose.
    sha256
        Of the package.
    semantic
        What it is said to be for.
    """

    learnware_id: str
    version: int
    owner_id: str
    sha256: str
    semantic: SemanticSpecification


@dataclass(frozen=True)
class Validation:
    """A validation; see `learndock.v1.Validation`. `revision` grows with each change."""

    validation_id: str
    subject: Subject
    state: ValidationState
    phase: str
    percent: int
    report: ValidationReport
    reason: str
    attempts: int
    create_time: datetime
    end_time: datetime | None
    revision: int


@dataclass(frozen=True)
class Lease:
    """A worker's right to a validation until another one gets a greater `fence`."""

    validation_id: str
    subject: Subject
    fence: int
    faults: int
