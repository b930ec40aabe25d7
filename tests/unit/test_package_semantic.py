"""Semantic specifications cross from and to the reference's JSON, and keep to the vocabulary."""

from __future__ import annotations

from dataclasses import replace
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from learndock.errors import InvalidInput, Reason
from learndock.learnware import VOCABULARY, FeatureSpace, SemanticSpecification
from learndock.package.semantic import check_semantic, describe_semantic, parse_semantic, semantic_json

VALID = SemanticSpecification(
    name="digits",
    description="Handwritten digits.",
    data="Table",
    task="Classification",
    library="Scikit-learn",
    scenarios=("Education",),
    license="MIT",
    input=FeatureSpace(64, {0: "first pixel"}),
    output=FeatureSpace(10),
)


def faults(error: InvalidInput) -> set[str]:
    assert error.reason is Reason.SEMANTIC_INVALID
    return {violation.field.removeprefix("semantic_specification.") for violation in error.violations}


def reference(**changes: object) -> dict[str, Any]:
    return {**json.loads(semantic_json(VALID)), **changes}


def parsed(document: object) -> SemanticSpecification:
    return parse_semantic(json.dumps(document).encode())


def test_the_references_example_is_read() -> None:
    document = {
        "Data": {"Type": "Class", "Values": ["Table"]},
        "Task": {"Type": "Class", "Values": ["Classification"]},
        "Library": {"Type": "Class", "Values": ["Scikit-learn"]},
        "Scenario": {"Type": "Tag", "Values": ["Education"]},
        "Name": {"Type": "String", "Values": "lw_0"},
        "Description": {"Type": "String", "Values": "desc number 0"},
        "Input": {"Dimension": 5, "Description": {"0": "f0", "4": "f4"}},
        "Output": {"Dimension": 2, "Description": {"0": "a", "1": "b"}},
    }
    semantic = parsed(document)
    assert semantic.license == "Apache-2.0"
    assert semantic.model == "Others"
    assert semantic.input == FeatureSpace(5, {0: "f0", 4: "f4"})
    check_semantic(semantic)


def test_empty_spaces_are_none() -> None:
    assert parsed(reference(Input={}, Output={})).input is None


@given(
    st.builds(
        SemanticSpecification,
        name=st.text(min_size=1, max_size=20),
        description=st.text(max_size=50),
        data=st.sampled_from(VOCABULARY["Data"]),
        task=st.sampled_from(VOCABULARY["Task"]),
        library=st.sampled_from(VOCABULARY["Library"]),
        scenarios=st.lists(st.sampled_from(VOCABULARY["Scenario"]), min_size=1).map(tuple),
        license=st.sampled_from(VOCABULARY["License"]),
        model=st.sampled_from(VOCABULARY["Model"]),
        input=st.none() | st.builds(FeatureSpace, st.integers(1, 9), st.dictionaries(st.integers(0, 8), st.text())),
        output=st.none() | st.builds(FeatureSpace, st.integers(1, 9)),
    )
)
def test_what_is_written_reads_back(semantic: SemanticSpecification) -> None:
    assert parse_semantic(semantic_json(semantic)) == semantic


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"Data": ["Table"]}, {"data"}),
        ({"Data": {"Values": ["Table", "Text"]}}, {"data"}),
        ({"Name": {"Values": 5}, "Scenario": {"Values": "Education"}}, {"name", "scenarios"}),
        ({"Input": {"Dimension": "5"}}, {"input"}),
        ({"Input": {"Dimension": True}}, {"input"}),
        ({"Input": {"Dimension": 5, "Description": {"x": "a"}}}, {"input"}),
        ({"Output": {"Dimension": 5, "Description": {"0": 1}}}, {"output"}),
        ({"Output": [1]}, {"output"}),
    ],
)
def test_what_is_not_of_the_form_is_refused_by_field(changes: dict[str, object], fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parsed(reference(**changes))
    assert faults(caught.value) == fields


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"\xff", b'{"Name": NaN}', b"[" * 100_000, b"[" * 40 + b"]" * 40, b"9" * 5000, b" " * (5 * 2**20)],
)
def test_what_is_not_strict_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_semantic(data)
    assert caught.value.reason is Reason.SEMANTIC_INVALID


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, set()),
        ({"name": ""}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"description": "x" * 10_001}, {"description"}),
        ({"description": "two\nlines"}, set()),
        ({"name": "bell\x07", "description": "\0"}, {"name", "description"}),
        ({"data": "Sound"}, {"data"}),
        ({"license": "WTFPL", "library": "JAX"}, {"license", "library"}),
        ({"scenarios": ()}, {"scenarios"}),
        ({"scenarios": ("Education", "Sports")}, {"scenarios"}),
        ({"input": None}, {"input"}),
        ({"input": FeatureSpace(0)}, {"input.dimension"}),
        ({"input": FeatureSpace(16_385)}, {"input.dimension"}),
        ({"input": FeatureSpace(2, {2: "x"})}, {"input.descriptions"}),
        ({"input": FeatureSpace(2, {0: "x" * 1001})}, {"input.descriptions"}),
        ({"output": None}, {"output"}),
        ({"output": FeatureSpace(1)}, {"output.dimension"}),
        ({"task": "Regression", "output": FeatureSpace(1)}, set()),
        ({"task": "Segmentation"}, {"task"}),
        ({"data": "Text", "task": "Segmentation", "input": None, "output": None}, set()),
        ({"model": "PEFT Model"}, {"model"}),
        ({"name": "", "task": "Dance", "scenarios": (), "input": None}, {"name", "task", "scenarios", "input"}),
    ],
)
def test_rules_of_the_vocabulary(changes: dict[str, Any], fields: set[str]) -> None:
    semantic = replace(VALID, **changes)
    if not fields:
        check_semantic(semantic)
        return
    with pytest.raises(InvalidInput) as caught:
        check_semantic(semantic)
    assert faults(caught.value) == fields


def test_describing_takes_names_or_numbers() -> None:
    semantic = describe_semantic("wine", "", data="Table", task="Classification", inputs=["alcohol", "ash"], outputs=3)
    assert semantic.input == FeatureSpace(2, {0: "alcohol", 1: "ash"})
    assert semantic.output == FeatureSpace(3)
    with pytest.raises(InvalidInput):
        describe_semantic("wine", "", data="Table", task="Classification")
