"""The form of a semantic specification: filled in, read back, and checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from learndock.errors import InvalidInput
from learndock.learnware import VOCABULARY, FeatureSpace, SemanticSpecification
from learndock.package.semantic import check_semantic
from services.console.routing import Rule
from services.console.visit import Visit

FIELDS = ("name", "description", "data", "task", "library", "scenarios", "license", "model", "input", "output")
_PREFIX = "semantic_specification."
_MOST_DIGITS = 6


@dataclass(frozen=True)
class FilledForm:
    """What stands in the fields.

    Attributes
    ----------
    semantic
        Words and texts.
    input_dimension, output_dimension
        Numbers of columns and outputs; empty for none.
    input_texts, output_texts
        Their meanings, one a line.
    """

    semantic: SemanticSpecification
    input_dimension: str
    input_texts: str
    output_dimension: str
    output_texts: str


def filled(semantic: SemanticSpecification) -> FilledForm:
    """The form of a specification."""
    return FilledForm(semantic, *_texts(semantic.input), *_texts(semantic.output))


def empty(name: str) -> SemanticSpecification:
    """Where a package says nothing of itself."""
    return SemanticSpecification(
        name=name,
        description="",
        data=VOCABULARY["Data"][0],
        task=VOCABULARY["Task"][0],
        library=VOCABULARY["Library"][0],
        scenarios=(),
    )


def semantic_of(visit: Visit) -> SemanticSpecification:
    """What a visitor has filled in, unchecked."""
    return SemanticSpecification(
        name=visit.field("name").strip(),
        description=visit.field("description").replace("\r\n", "\n"),
        data=visit.field("data"),
        task=visit.field("task"),
        library=visit.field("library"),
        scenarios=visit.fields("scenarios"),
        license=visit.field("license"),
        model=visit.field("model"),
        input=_space(visit.field("input_dimension"), visit.field("input_texts")),
        output=_space(visit.field("output_dimension"), visit.field("output_texts")),
    )


def faults(semantic: SemanticSpecification) -> Mapping[str, str]:
    """What is wrong, by field; empty when nothing is."""
    try:
        check_semantic(semantic)
    except InvalidInput as error:
        return by_field(error)
    return {}


def by_field(error: InvalidInput) -> Mapping[str, str]:
    """The violations of an error by the form's fields."""
    found: dict[str, str] = {}
    for violation in error.violations:
        field = violation.field.removeprefix(_PREFIX).partition(".")[0]
        if field in FIELDS:
            found.setdefault(field, violation.description)
    return found


def check(visit: Visit) -> Response:
    """The faults of a form as it is being filled in."""
    return visit.page("semantic_faults.html", faults=faults(semantic_of(visit)), fields=FIELDS)


def _texts(space: FeatureSpace | None) -> tuple[str, str]:
    if space is None:
        return "", ""
    last = max(space.descriptions, default=-1)
    return str(space.dimension), "\n".join(space.descriptions.get(position, "") for position in range(last + 1))


def _space(dimension: str, texts: str) -> FeatureSpace | None:
    lines = [line.strip() for line in texts.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not dimension.strip() and not lines:
        return None
    digits = dimension.strip()
    number = int(digits) if digits.isdecimal() and len(digits) <= _MOST_DIGITS else 0 if digits else len(lines)
    return FeatureSpace(number, {position: line for position, line in enumerate(lines) if line})


RULES = (Rule("POST", "/semantic/check", check),)
