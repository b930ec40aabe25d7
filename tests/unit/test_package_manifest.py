"""`learnware.yaml` is read with the reference's defaults, and may name nothing outside of the package."""

from __future__ import annotations

import pytest

from learndock.errors import InvalidInput, Reason
from learndock.package.manifest import DEFAULT_SPECIFICATION, Manifest, SpecificationEntry, parse_manifest


def fault(text: str) -> str | None:
    with pytest.raises(InvalidInput) as caught:
        parse_manifest(text.encode())
    assert caught.value.reason is Reason.MANIFEST_INVALID
    return caught.value.field


@pytest.mark.parametrize("text", ["", "{}", "model:", "model: {}", "model: {kwargs: }"])
def test_what_is_missing_has_the_references_defaults(text: str) -> None:
    manifest = parse_manifest(text.encode())
    assert manifest == Manifest()
    assert manifest.specifications == (DEFAULT_SPECIFICATION,)
    assert (manifest.model.class_name, manifest.model.module_path) == ("Model", "__init__.py")


def test_everything_is_read() -> None:
    manifest = parse_manifest(
        b"""
id: '00000012'
name: digits
model:
  class_name: PickleLoadedModel
  module_path: ./models/net.py
  weights_file_path: weights/base
  required_learnware_ids: ['00000001', 2]
  kwargs:
    input_shape: !!python/tuple [5]
    fit_method: fit
    day: 2026-01-31
stat_specifications:
  - {module_path: learnware.specification, class_name: RKMEStatSpecification, file_name: stat.json, kwargs: {}}
  - module_path: learnware.specification.regular.text
    class_name: RKMETextSpecification
    file_name: specs/text.json
semantic_specification: {file_name: semantic_specification.json}
"""
    )
    assert manifest.learnware_id == "00000012"
    assert manifest.model.class_name == "PickleLoadedModel"
    assert manifest.model.module_path == "models/net.py"
    assert manifest.model.kwargs == {"input_shape": [5], "fit_method": "fit", "day": "2026-01-31"}
    assert manifest.model.required_learnware_ids == ("00000001", "00000002")
    assert manifest.specifications == (
        SpecificationEntry("RKMEStatSpecification", "stat.json"),
        SpecificationEntry("RKMETextSpecification", "specs/text.json"),
    )
    assert manifest.semantic_file == "semantic_specification.json"


def test_an_empty_list_of_specifications_replaces_the_default() -> None:
    assert parse_manifest(b"stat_specifications: []").specifications == ()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("model: {module_path: os}", "manifest.model.module_path"),
        ("model: {module_path: os.system}", "manifest.model.module_path"),
        ("model: {module_path: ../evil.py}", "manifest.model.module_path"),
        ("model: {module_path: /etc/evil.py}", "manifest.model.module_path"),
        ("model: {module_path: [a]}", "manifest.model.module_path"),
        ("model: {class_name: os.system}", "manifest.model.class_name"),
        ("model: {class_name: 'a b'}", "manifest.model.class_name"),
        ("model: {class_name: class}", "manifest.model.class_name"),
        ("model: [1]", "manifest.model"),
        ("model: {kwargs: [1]}", "manifest.model.kwargs"),
        ("model: {kwargs: {1: a}}", "manifest.model.kwargs"),
        ("model: {required_learnware_ids: 3}", "manifest.model.required_learnware_ids"),
        ("stat_specifications: x", "manifest.stat_specifications"),
        ("stat_specifications: [x]", "manifest.stat_specifications[0]"),
        ("stat_specifications: [{class_name: system, file_name: a}]", "manifest.stat_specifications[0].class_name"),
        (
            "stat_specifications: [{module_path: os, class_name: RKMETableSpecification, file_name: a}]",
            "manifest.stat_specifications[0].module_path",
        ),
        (
            "stat_specifications: [{module_path: learnware.specification_evil, class_name: x, file_name: a}]",
            "manifest.stat_specifications[0].module_path",
        ),
        ("stat_specifications: [{class_name: RKMETableSpecification}]", "manifest.stat_specifications[0].file_name"),
        (
            "stat_specifications: [{class_name: RKMETableSpecification, file_name: ../x}]",
            "manifest.stat_specifications[0].file_name",
        ),
        ("semantic_specification: {file_name: /etc/passwd}", "manifest.semantic_specification.file_name"),
        ("[1, 2]", "manifest"),
    ],
)
def test_what_a_key_must_not_hold_is_refused_by_its_name(text: str, field: str) -> None:
    assert fault(text) == field


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "a: &x 1",
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system ''",
        "a: !!python/module:os ''",
        "a: !!binary aGk=",
        "a: !!set {x}",
        "a: !custom 1",
        "a: [",
        "a: 1\na: 2",
        "a: 1\n---\nb: 2",
        "[" * 40 + "]" * 40,
        "[" * 20_000,
        "a: " + "9" * 5_000,
        "x" * 70_000,
        "a: \x00",
    ],
)
def test_what_is_not_plain_yaml_is_refused(text: str) -> None:
    assert fault(text) == "manifest"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_manifest(b"name: \xff\xfe")
