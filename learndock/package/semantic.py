"""Semantic specifications: the reference's JSON, and the rules for their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
import json
import re

from learndock.errors import FieldViolation, InvalidInput, Reason
from learndock.learnware import VOCABULARY, FeatureSpace, SemanticSpecification
from learndock.package.strict_json import parse_json
from learndock.rkme.specification import Specification

SEMANTIC_NAME = "semantic_specification.json"
MAX_SEMANTIC_BYTES = 4 * 2**20
MAX_NAME = 100
MAX_DESCRIPTION = 10_000
MAX_DIMENSION = 16_384
MAX_FEATURE_DESCRIPTION = 1_000

_ROOT = "semantic_specification"
# Line breaks and tabs are fine.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TYPES = {
    "Data": "Class",
    "Task": "Class",
    "Library": "Class",
    "Scenario": "Tag",
    "License": "Class",
    "Model": "Optional",
    "Name": "String",
    "Description": "String",
}
# Tasks that make no sense for a kind of data.
_UNSUITED_TASKS = {
    "Table": ("Segmentation", "Object Detection", "Text Generation"),
    "Image": ("Text Generation",),
    "Text": ("Object Detection",),
}


def parse_semantic(data: bytes) -> SemanticSpecification:
    """The semantic specification in the reference's JSON; old records without Model or License are taken.

    The words are not checked here, see `check_semantic`.

    Raises
    ------
    InvalidInput
        SEMANTIC_INVALID: not JSON, or not of the reference's form; names every field at fault.
    """
    document = parse_json(data, max_bytes=MAX_SEMANTIC_BYTES, reason=Reason.SEMANTIC_INVALID, field=_ROOT)
    if not isinstance(document, dict):
        raise InvalidInput(Reason.SEMANTIC_INVALID, "There must be a JSON object.", field=_ROOT)
    return _Reader(document).read()


def semantic_json(semantic: SemanticSpecification) -> bytes:
    """The reference's JSON of a semantic specification."""
    values: dict[str, object] = {
        "Data": [semantic.data],
        "Task": [semantic.task],
        "Library": [semantic.library],
        "Scenario": list(semantic.scenarios),
        "License": [semantic.license],
        "Model": [semantic.model],
        "Name": semantic.name,
        "Description": semantic.description,
    }
    document: dict[str, object] = {key: {"Type": _TYPES[key], "Values": value} for key, value in values.items()}
    for key, space in (("Input", semantic.input), ("Output", semantic.output)):
        if space is not None:
            texts = {str(position): text for position, text in sorted(space.descriptions.items())}
            document[key] = {"Dimension": space.dimension, "Description": texts}
    return json.dumps(document, ensure_ascii=False).encode()


def check_semantic(semantic: SemanticSpecification) -> None:
    """Check the words and numbers of a semantic specification.

    Raises
    ------
    InvalidInput
        SEMANTIC_INVALID, naming all fields at fault at once.
    """
    violations = [FieldViolation(f"{_ROOT}.{field}", text) for field, text in _faults(semantic)]
    if violations:
        raise _refusal(violations)


def with_input_of(semantic: SemanticSpecification, specification: Specification) -> SemanticSpecification:
    """The same, with the Input that the statistical specification tells, where a table's was left out."""
    if semantic.input is not None or semantic.data != "Table":
        return semantic
    space = specification.input or FeatureSpace(specification.dimension)
    texts = {position: text[:MAX_FEATURE_DESCRIPTION] for position, text in space.descriptions.items()}
    return replace(semantic, input=FeatureSpace(space.dimension, texts))


def _refusal(violations: list[FieldViolation]) -> InvalidInput:
    texts = " ".join(violation.description for violation in violations)
    message = f"The semantic specification is not valid: {texts}"
    return InvalidInput(Reason.SEMANTIC_INVALID, message, violations=violations)


def _faults(semantic: SemanticSpecification) -> Iterator[tuple[str, str]]:
    if not semantic.name.strip() or len(semantic.name) > MAX_NAME:
        yield "name", f"The name must have 1 to {MAX_NAME} characters."
    if len(semantic.description) > MAX_DESCRIPTION:
        yield "description", f"The description must have at most {MAX_DESCRIPTION} characters."
    for field, text in (("name", semantic.name), ("description", semantic.description)):
        if _CONTROL.search(text):
            yield field, f"The {field} must hold no control characters."
    for key in ("Data", "Task", "Library", "License", "Model"):
        word = getattr(semantic, key.lower())
        if word not in VOCABULARY[key]:
            yield key.lower(), f"{key} must be one of {', '.join(VOCABULARY[key])}, not {word!r}."
    yield from _scenario_faults(semantic)
    yield from _pairing_faults(semantic)
    yield from _space_faults("input", semantic.input, required=semantic.data == "Table", least=1)
    described = semantic.task in ("Classification", "Regression")
    least = 2 if semantic.task == "Classification" else 1
    yield from _space_faults("output", semantic.output, required=described, least=least)


def _scenario_faults(semantic: SemanticSpecification) -> Iterator[tuple[str, str]]:
    if not semantic.scenarios:
        yield "scenarios", "There must be at least one scenario."
    for word in semantic.scenarios:
        if word not in VOCABULARY["Scenario"]:
            yield "scenarios", f"Scenarios must be among {', '.join(VOCABULARY['Scenario'])}, not {word!r}."


def _pairing_faults(semantic: SemanticSpecification) -> Iterator[tuple[str, str]]:
    if semantic.task in _UNSUITED_TASKS.get(semantic.data, ()):
        yield "task", f"{semantic.task} is not a task for {semantic.data}."
    if semantic.data in ("Table", "Image") and semantic.model != "Others" and semantic.model in VOCABULARY["Model"]:
        yield "model", f"Model must be Others for {semantic.data}."


def _space_faults(name: str, space: FeatureSpace | None, *, required: bool, least: int) -> Iterator[tuple[str, str]]:
    if space is None:
        if required:
            yield name, f"The {name} must be described."
        return
    if not least <= space.dimension <= MAX_DIMENSION:
        yield f"{name}.dimension", f"The {name}'s dimension must be {least} to {MAX_DIMENSION}, not {space.dimension}."
    if any(not 0 <= position < space.dimension for position in space.descriptions):
        yield f"{name}.descriptions", f"Positions of the {name} must be below its dimension."
    if any(len(text) > MAX_FEATURE_DESCRIPTION for text in space.descriptions.values()):
        yield f"{name}.descriptions", f"A description must have at most {MAX_FEATURE_DESCRIPTION} characters."


class _Reader:
    """Reads a document key by key and remembers everything that is not of the right form."""

    def __init__(self, document: Mapping[str, object]) -> None:
        self._document = document
        self._violations: list[FieldViolation] = []

    def read(self) -> SemanticSpecification:
        semantic = SemanticSpecification(
            name=self._text("Name"),
            description=self._text("Description"),
            data=self._word("Data"),
            task=self._word("Task"),
            library=self._word("Library"),
            scenarios=self._words("Scenario"),
            license=self._word("License") or "Apache-2.0",
            model=self._word("Model") or "Others",
            input=self._space("Input"),
            output=self._space("Output"),
        )
        if self._violations:
            raise _refusal(self._violations)
        return semantic

    def _fault(self, field: str, text: str) -> None:
        self._violations.append(FieldViolation(f"{_ROOT}.{field}", text))

    def _values(self, key: str) -> object:
        tag = self._document.get(key)
        if tag is None:
            return None
        if not isinstance(tag, dict) or "Values" not in tag:
            self._fault(key.lower(), f'{key} must be an object with "Values".')
            return None
        return tag["Values"]

    def _text(self, key: str) -> str:
        value = self._values(key)
        if value is not None and not isinstance(value, str):
            self._fault(key.lower(), f"{key} must be text.")
        return value if isinstance(value, str) else ""

    def _words(self, key: str) -> tuple[str, ...]:
        values = self._values(key)
        if values is None:
            return ()
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self._fault("scenarios" if key == "Scenario" else key.lower(), f"{key} must be a list of words.")
            return ()
        return tuple(values)

    def _word(self, key: str) -> str:
        words = self._words(key)
        if len(words) > 1:
            self._fault(key.lower(), f"{key} must have one value.")
        return words[0] if words else ""

    def _space(self, key: str) -> FeatureSpace | None:
        value = self._document.get(key)
        if not value:  # the reference writes {} where there is nothing to describe
            return None
        space = _feature_space(value)
        if space is None:
            self._fault(key.lower(), f'{key} must be an object with "Dimension" and "Description" by position.')
        return space


def _feature_space(value: object) -> FeatureSpace | None:
    if not isinstance(value, dict):
        return None
    dimension, texts = value.get("Dimension"), value.get("Description") or {}
    if not isinstance(dimension, int) or isinstance(dimension, bool) or not isinstance(texts, dict):
        return None
    if not all(position.isdecimal() and len(position) < 8 for position in texts):
        return None
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    return FeatureSpace(dimension, {int(position): text for position, text in texts.items()})


def describe_semantic(
    name: str,
    description: str,
    *,
    data: str,
    task: str,
    library: str = "Others",
    scenarios: Sequence[str] = ("Others",),
    license: str = "Apache-2.0",  # noqa: A002  # the vocabulary's word
    model: str = "Others",
    inputs: FeatureSpace | Sequence[str] | int | None = None,
    outputs: FeatureSpace | Sequence[str] | int | None = None,
) -> SemanticSpecification:
    """A checked semantic specification from plain values.

    Parameters
    ----------
    name, description
        Free text.
    data, task, library, scenarios, license, model
        Words of `learndock.learnware.VOCABULARY`.
    inputs
        Meaning of the columns: their names in order, or only their number. Needed for tables.
    outputs
        Meaning of the classes or outputs, likewise. Needed for classification and regression.

    Raises
    ------
    InvalidInput
        SEMANTIC_INVALID, naming all fields at fault at once.
    """
    semantic = SemanticSpecification(
        name=name,
        description=description,
        data=data,
        task=task,
        library=library,
        scenarios=tuple(scenarios),
        license=license,
        model=model,
        input=_described(inputs),
        output=_described(outputs),
    )
    check_semantic(semantic)
    return semantic


def _described(space: FeatureSpace | Sequence[str] | int | None) -> FeatureSpace | None:
    if space is None or isinstance(space, FeatureSpace):
        return space
    if isinstance(space, int):
        return FeatureSpace(space)
    return FeatureSpace(len(space), dict(enumerate(space)))
