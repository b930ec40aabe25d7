"""The page of error reasons, read from the sources: what each means, and which classes carry it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

from learndock import errors
from learndock.errors import LearndockError, Reason
from learndock.status import BARE_REASONS, CODES

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("learndock", "services")

INTRODUCTION = """# Errors

Every failed call carries a status code and a `google.rpc.ErrorInfo` whose `reason` is one of the words below
(`domain` is `learndock`), and where it helps a `BadRequest` naming the fields, a `ResourceInfo` or a `RetryInfo`.
The Python client raises the class in the last column but one, from `learndock.errors`, with the same reason.

Written by `make docs` from `learndock/errors.py` and the places that raise.

| reason | what happened | class | status code |
|---|---|---|---|
"""


def reasons_page() -> str:
    """The whole page."""
    meanings = member_docstrings(ROOT / "learndock" / "errors.py", "Reason")
    raised = classes_by_reason()
    rows = []
    for reason in Reason:
        classes = sorted(raised[reason], key=lambda error_class: error_class.__name__)
        names = ", ".join(f"`{error_class.__name__}`" for error_class in classes)
        codes = ", ".join(CODES[error_class].name for error_class in classes)
        rows.append(f"| `{reason}` | {meanings[reason]} | {names} | {codes} |\n")
    return INTRODUCTION + "".join(rows)


@cache
def classes_by_reason() -> Mapping[Reason, set[type[LearndockError]]]:
    """Which error classes the sources construct with each reason."""
    found: dict[Reason, set[type[LearndockError]]] = defaultdict(set)
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                for error_class, reason in [*_constructions(node), *_initialisations(node)]:
                    found[reason].add(error_class)
    for code, reason in BARE_REASONS.items():
        found[reason].update(error_class for error_class, its_code in CODES.items() if its_code is code)
    return found


def _constructions(node: ast.AST) -> Iterator[tuple[type[LearndockError], Reason]]:
    """`InvalidInput(Reason.FIELD_INVALID, ...)`."""
    error_class = _error_class(node.func) if isinstance(node, ast.Call) else None
    if error_class is not None and isinstance(node, ast.Call) and node.args:
        for reason in _reasons(node.args[0]):
            yield error_class, reason


def _initialisations(node: ast.AST) -> Iterator[tuple[type[LearndockError], Reason]]:
    """`super().__init__(Reason.MODEL_FAILED, ...)` in a class that makes one of the errors more special."""
    if not isinstance(node, ast.ClassDef):
        return
    for error_class in filter(None, map(_error_class, node.bases)):
        for reason in _reasons(node):
            yield error_class, reason


def _error_class(node: ast.AST) -> type[LearndockError] | None:
    found = getattr(errors, _last_name(node), None)
    return found if isinstance(found, type) and issubclass(found, LearndockError) else None


def _reasons(node: ast.AST) -> Iterator[Reason]:
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and _last_name(part.value) == "Reason":
            yield Reason(part.attr)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def member_docstrings(path: Path, class_name: str) -> Mapping[str, str]:
    """The strings below the assignments of a class body, by the assigned name; line breaks become blanks."""
    classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    body = next(node for node in classes if node.name == class_name).body
    found = {}
    for assignment, text in pairwise(body):
        name = _assigned_name(assignment)
        if name and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[name] = " ".join(str(text.value.value).split())
    return found


def _assigned_name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign):
        return _last_name(node.targets[0])
    return _last_name(node.target) if isinstance(node, ast.AnnAssign) else ""
