"""Inspections and errors as plain data, to cross from one process to another without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learndock import errors
from learndock.errors import FieldViolation, LearndockError, Reason
from learndock.learnware import FeatureSpace, FormatClass, Modality
from learndock.package.inspection import Inspection
from learndock.package.manifest import Manifest, ModelEntry, SpecificationEntry
from learndock.package.requirements import Requirements
from learndock.package.scan import Finding, ScanReport
from learndock.package.semantic import parse_semantic, semantic_json
from learndock.rkme.specification import Fidelity, PrivacyReport, Specification

_LENGTH_BYTES = 8


def dump_inspection(inspection: Inspection) -> bytes:
    """An inspection as bytes: a length, that much JSON, and the arrays' bytes."""
    specification = inspection.specification
    semantic = inspection.semantic
    document = {
        "manifest": asdict(inspection.manifest),
        "semantic": semantic_json(semantic).decode() if semantic else None,
        "specification": _specification_document(specification) if specification else None,
        "requirements": asdict(inspection.requirements),
        "scan": asdict(inspection.scan),
        "sha256": inspection.sha256,
        "size_bytes": inspection.size_bytes,
    }
    return _dump({"inspection": document}, [specification.atoms, specification.weights] if specification else [])


def dump_error(error: LearndockError) -> bytes:
    """An error as bytes, in the form of `dump_inspection`."""
    document = {
        "class": type(error).__name__,
        "reason": error.reason.value,
        "message": error.message,
        "violations": [asdict(violation) for violation in error.violations],
        "resource": error.resource,
        "retry_after": error.retry_after,
    }
    return _dump({"error": document}, [])


def load_inspection(data: bytes) -> Inspection:
    """The inspection in `data`.

    Raises
    ------
    LearndockError
        The one that was dumped, where `data` holds an error.
    """
    document, arrays = _load(data)
    if "error" in document:
        raise _error(document["error"])
    told = document["inspection"]
    return Inspection(
        manifest=_manifest(told["manifest"]),
        semantic=parse_semantic(told["semantic"].encode()) if told["semantic"] else None,
        specification=_specification(told["specification"], arrays) if told["specification"] else None,
        requirements=Requirements(
            lines=tuple(told["requirements"]["lines"]),
            python=told["requirements"]["python"],
            source=told["requirements"]["source"],
            dropped=tuple(told["requirements"]["dropped"]),
        ),
        scan=ScanReport(
            format_class=FormatClass(told["scan"]["format_class"]),
            findings=tuple(Finding(**finding) for finding in told["scan"]["findings"]),
        ),
        sha256=told["sha256"],
        size_bytes=told["size_bytes"],
    )


def _dump(document: Mapping[str, object], arrays: list[NDArray[Any]]) -> bytes:
    forms = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    text = json.dumps({**document, "arrays": forms}).encode()
    return b"".join([len(text).to_bytes(_LENGTH_BYTES, "big"), text, *(array.tobytes() for array in arrays)])


def _load(data: bytes) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    offset = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    document: dict[str, Any] = json.loads(data[_LENGTH_BYTES:offset])
    arrays = []
    for form in document["arrays"]:
        # Not `.npy`: its header is read as Python source, which CPython 3.11 cannot do in several threads at once.
        array = np.frombuffer(data, dtype=form["dtype"], count=math.prod(form["shape"]), offset=offset)
        arrays.append(array.reshape(form["shape"]))
        offset += array.nbytes
    return document, arrays


def _error(told: Mapping[str, Any]) -> LearndockError:
    error_class: type[LearndockError] = getattr(errors, told["class"])
    return error_class(
        Reason(told["reason"]),
        told["message"],
        violations=[FieldViolation(**violation) for violation in told["violations"]],
        resource=told["resource"],
        retry_after=told["retry_after"],
    )


def _manifest(told: Mapping[str, Any]) -> Manifest:
    model = dict(told["model"])
    model["required_learnware_ids"] = tuple(model["required_learnware_ids"])
    entries = tuple(SpecificationEntry(**entry) for entry in told["specifications"])
    return Manifest(**{**told, "model": ModelEntry(**model), "specifications": entries})


def _specification_document(specification: Specification) -> dict[str, object]:
    return {
        "modality": specification.modality.value,
        "encoder": specification.encoder,
        "encoder_revision": specification.encoder_revision,
        "row_count": specification.row_count,
        "item_shape": specification.item_shape,
        "input": asdict(specification.input) if specification.input else None,
        "languages": specification.languages,
        "fidelity": asdict(specification.fidelity) if specification.fidelity else None,
        "privacy": asdict(specification.privacy) if specification.privacy else None,
    }


def _specification(told: Mapping[str, Any], arrays: list[NDArray[Any]]) -> Specification:
    atoms, weights = arrays
    return Specification(
        atoms=atoms,
        weights=weights,
        modality=Modality(told["modality"]),
        encoder=told["encoder"],
        encoder_revision=told["encoder_revision"],
        row_count=told["row_count"],
        item_shape=tuple(told["item_shape"]),
        input=_space(told["input"]) if told["input"] else None,
        languages=tuple(told["languages"]),
        fidelity=Fidelity(**told["fidelity"]) if told["fidelity"] else None,
        privacy=PrivacyReport(**told["privacy"]) if told["privacy"] else None,
    )


def _space(told: Mapping[str, Any]) -> FeatureSpace:
    texts = {int(position): text for position, text in told["descriptions"].items()}
    return FeatureSpace(told["dimension"], texts)
