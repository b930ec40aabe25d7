"""What can be said of a package before any of its code runs."""

from __future__ import annotations

from collections.abc import Iterator

from learndock.errors import InvalidInput, LearndockError, Reason, ResourceExhausted
from learndock.examination.report import CHECKS, Outcome, failed, passed, skipped, warned
from learndock.package.inspection import Inspection
from learndock.package.requirements import Requirements
from learndock.sandbox.installer import PYTHON_TAG

# An inspection stops at the first fault; its reason tells how far it came.
_FAULTY_CHECK = {
    Reason.MANIFEST_INVALID: "manifest",
    Reason.SEMANTIC_INVALID: "semantic",
    Reason.SPECIFICATION_INVALID: "specification",
    Reason.SHAPE_MISMATCH: "specification",
    Reason.NOT_FINITE: "specification",
    Reason.FIELD_INVALID: "specification",
    Reason.UNSUPPORTED_DEPENDENCY: "requirements",
}


def static_outcomes(inspection: Inspection) -> Iterator[tuple[str, Outcome]]:
    """Lines on a package that was inspected to the end."""
    yield "archive", passed(f"{inspection.size_bytes} bytes, SHA-256 {inspection.sha256}")
    model = inspection.manifest.model
    yield "manifest", passed(f"{model.class_name} in {model.module_path}")
    yield "semantic", _semantic(inspection)
    yield "specification", _specification(inspection)
    yield "requirements", _requirements(inspection.requirements)
    yield "scan", _scan(inspection)


def fault_outcomes(error: LearndockError) -> Iterator[tuple[str, Outcome]]:
    """Lines on a package whose inspection stopped with `error`; raises it again when the package is not at fault."""
    if not isinstance(error, InvalidInput | ResourceExhausted):
        raise error
    faulty = _FAULTY_CHECK.get(error.reason, "archive")
    for name in CHECKS[: CHECKS.index(faulty)]:
        yield name, passed("as it should be")
    place = f" [{error.field}]" if error.field else ""
    yield faulty, failed(f"{error.message}{place}")


def _semantic(inspection: Inspection) -> Outcome:
    semantic = inspection.semantic
    if semantic is None:
        return failed("Neither the package nor the submission holds a semantic specification.")
    return passed(f"{semantic.task} of {semantic.data.lower()} data")


def _specification(inspection: Inspection) -> Outcome:
    specification = inspection.specification
    if specification is None:
        return skipped("The task needs none.")
    return passed(f"{specification.atom_count} atoms of {specification.dimension} dimensions, {specification.modality}")


def _requirements(requirements: Requirements) -> Outcome:
    if not requirements.source:
        return warned("The package names no requirements; only NumPy is there for it.")
    found = f"{len(requirements.lines)} requirements in {requirements.source}"
    if requirements.dropped:
        return warned(f"{found}; left out, being of no use here: {', '.join(requirements.dropped)[:300]}")
    if requirements.python:
        return warned(f"{found}; its Python {requirements.python} gives way to the dock's {PYTHON_TAG}")
    return passed(found)


def _scan(inspection: Inspection) -> Outcome:
    findings = inspection.scan.findings
    if findings:
        return warned("; ".join(f"{finding.file}: {finding.message}" for finding in findings)[:1000])
    return passed(f"format class {inspection.scan.format_class}")
