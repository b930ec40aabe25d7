"""A package is known by what it says of itself, in this process and in a confined one alike."""

from __future__ import annotations

from collections.abc import Callable
import json
from pathlib import Path
import zipfile

import numpy as np
import pytest

from learndock.errors import InvalidInput, Reason, ResourceExhausted
from learndock.learnware import FeatureSpace, FormatClass, Modality, SemanticSpecification
from learndock.package import confined
from learndock.package.confined import inspect_confined
from learndock.package.inspection import Inspection, file_sha256, inspect_package
from learndock.package.record import dump_error, dump_inspection, load_inspection
from learndock.package.semantic import semantic_json
from tests.conftest import SHARED_DATA

SEMANTIC = SemanticSpecification(
    name="three columns",
    description="",
    data="Table",
    task="Regression",
    library="Others",
    scenarios=("Others",),
    input=FeatureSpace(3),
    output=FeatureSpace(1),
)
SPECIFICATION = {
    "z": [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
    "beta": [0.25, 0.75],
    "gamma": 0.1,
    "num_points": 100,
    "type": "RKMETableSpecification",
}
FILES = {
    "learnware.yaml": b"model: {class_name: Model}\n",
    "__init__.py": b"raise SystemExit('a package must not be run')\n",
    "requirements.txt": b"numpy\n",
    "semantic_specification.json": semantic_json(SEMANTIC),
    "stat_spec.json": json.dumps(SPECIFICATION).encode(),
}


def packed(path: Path, **changes: bytes | None) -> Path:
    with zipfile.ZipFile(path / "package.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**FILES, **changes}.items():
            if data is not None:
                archive.writestr(name, data)
    return path / "package.zip"


def assert_same(one: Inspection, other: Inspection) -> None:
    for name in ("manifest", "semantic", "requirements", "scan", "sha256", "size_bytes"):
        assert getattr(one, name) == getattr(other, name)
    assert (one.specification is None) == (other.specification is None)
    if one.specification and other.specification:
        np.testing.assert_array_equal(one.specification.atoms, other.specification.atoms)
        np.testing.assert_array_equal(one.specification.weights, other.specification.weights)
        for name in ("modality", "encoder", "row_count", "item_shape", "input", "fidelity", "privacy"):
            assert getattr(one.specification, name) == getattr(other.specification, name)


def test_everything_is_found_here_and_confined(tmp_path: Path) -> None:
    path = packed(tmp_path)
    inspection = inspect_package(path)
    assert inspection.semantic == SEMANTIC
    assert inspection.specification is not None
    assert inspection.specification.modality is Modality.TABLE
    assert inspection.specification.atoms.shape == (2, 3)
    assert inspection.requirements.lines == ("numpy",)
    assert inspection.scan.format_class is FormatClass.SAFE
    assert (inspection.sha256, inspection.size_bytes) == (file_sha256(path), path.stat().st_size)
    assert_same(inspect_confined(path), inspection)


def test_the_submitters_description_counts(tmp_path: Path) -> None:
    path = packed(tmp_path, **{"semantic_specification.json": b"not even JSON"})
    assert inspect_package(path, SEMANTIC).semantic == SEMANTIC
    assert inspect_confined(path, SEMANTIC).semantic == SEMANTIC
    assert inspect_package(packed(tmp_path, **{"semantic_specification.json": None})).semantic is None


def specification(**changes: object) -> bytes:
    return json.dumps({**SPECIFICATION, **changes}).encode()


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"learnware.yaml": None}, Reason.MANIFEST_INVALID, "manifest"),
        ({"learnware.yaml": b"model: {module_path: os.system}"}, Reason.MANIFEST_INVALID, "manifest.model.module_path"),
        ({"__init__.py": None}, Reason.MANIFEST_INVALID, "manifest.model.module_path"),
        (
            {"learnware.yaml": b"semantic_specification: {file_name: other.json}"},
            Reason.MANIFEST_INVALID,
            "manifest.semantic_specification.file_name",
        ),
        ({"semantic_specification.json": b"{}"}, Reason.SEMANTIC_INVALID, "semantic_specification.name"),
        ({"stat_spec.json": None}, Reason.SPECIFICATION_INVALID, "specification"),
        (
            {
                "learnware.yaml": b"stat_specifications: [{class_name: RKMETableSpecification, file_name: stat.json}]",
            },
            Reason.SPECIFICATION_INVALID,
            "specification",
        ),
        (
            {"stat_spec.json": specification(z=[[0.0, 1.0], [3.0, 4.0]])},
            Reason.SPECIFICATION_INVALID,
            "specification.dimension",
        ),
        (
            {"stat_spec.json": specification(type="RKMETextSpecification", language=["en"])},
            Reason.SPECIFICATION_INVALID,
            "specification.modality",
        ),
        ({"stat_spec.json": b'{"z":[[NaN,1,2]],"beta":[1]}'}, Reason.NOT_FINITE, "specification.json"),
        ({"stat_spec.json": b"{}"}, Reason.FIELD_INVALID, "specification.z"),
        ({"stat_spec.json": specification(beta=[0.5])}, Reason.SHAPE_MISMATCH, "specification.beta"),
        ({"requirements.txt": b"git+https://example.org/x"}, Reason.UNSUPPORTED_DEPENDENCY, "requirements"),
    ],
)
def test_faults_are_told_with_reason_and_field(
    tmp_path: Path, changes: dict[str, bytes | None], reason: Reason, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        inspect_package(packed(tmp_path, **changes))
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_a_confined_fault_is_the_same_fault(tmp_path: Path) -> None:
    path = packed(tmp_path, **{"semantic_specification.json": b"{}"})
    with pytest.raises(InvalidInput) as here:
        inspect_package(path)
    with pytest.raises(InvalidInput) as there:
        inspect_confined(path)
    assert here.value.violations == there.value.violations
    assert here.value.reason is there.value.reason


def test_what_is_no_zip_is_told_from_the_confined_process(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(b"plain text")
    with pytest.raises(InvalidInput) as caught:
        inspect_confined(path)
    assert (caught.value.reason, caught.value.field) == (Reason.PACKAGE_INVALID, "package")


def test_a_package_beyond_the_limits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "WALL_SECONDS", 0.001)
    with pytest.raises(InvalidInput) as caught:
        inspect_confined(packed(tmp_path))
    assert caught.value.reason is Reason.PACKAGE_INVALID


def test_a_text_generator_may_come_without_specification(tmp_path: Path) -> None:
    semantic = SemanticSpecification(
        name="model", description="", data="Text", task="Text Generation", library="PyTorch", scenarios=("Others",)
    )
    path = packed(tmp_path, **{"stat_spec.json": None, "semantic_specification.json": semantic_json(semantic)})
    assert inspect_package(path).specification is None
    assert_same(load_inspection(dump_inspection(inspect_package(path))), inspect_package(path))


def test_errors_cross_whole() -> None:
    error = ResourceExhausted(Reason.PACKAGE_TOO_LARGE, "too large", resource="x", retry_after=1.5)
    with pytest.raises(ResourceExhausted) as caught:
        load_inspection(dump_error(error))
    assert vars(caught.value) == vars(error)


def test_the_legacy_name_of_a_specification_is_taken(tmp_path: Path) -> None:
    yaml = b"stat_specifications: [{class_name: RKMEStatSpecification, file_name: stat.json}]"
    legacy = {**SPECIFICATION, "cuda_idx": 0, "device": "gpu"}
    del legacy["type"]
    path = packed(tmp_path, **{"learnware.yaml": yaml, "stat.json": json.dumps(legacy).encode()})
    assert inspect_package(path).specification is not None


@pytest.mark.shared
@pytest.mark.parametrize("inspect", [inspect_package, inspect_confined])
def test_the_evaluation_packages_are_taken_unchanged(inspect: Callable[[Path], Inspection]) -> None:
    paths = sorted((SHARED_DATA / "learnwares" / "packages").glob("*.zip"))
    assert len(paths) == 17
    for path in paths[:: 1 if inspect is inspect_package else 6]:
        inspection = inspect(path)
        assert inspection.semantic is not None
        assert inspection.specification is not None
        assert inspection.semantic.name == path.stem
        assert inspection.scan.findings == ()
