"""The pages say what the code does."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
import re
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
import pytest

from learndock.errors import LearndockError, Reason
from learndock.status import CODES
from tools import pages
from tools.reasons import classes_by_reason
from tools.settings import service_names, settings_class

ROOT = Path(__file__).resolve().parents[2]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/__main__.py"))


def test_generated_pages_are_fresh() -> None:
    assert list(pages.stale()) == [], "run `make docs`"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_given_somewhere(reason: Reason) -> None:
    assert classes_by_reason()[reason], f"nothing raises {reason}"


def test_every_error_class_has_a_code() -> None:
    assert set(LearndockError.__subclasses__()) == set(CODES)
    assert len(set(CODES.values())) == len(CODES)


@pytest.mark.parametrize("service", service_names())
def test_every_setting_says_what_it_does(service: str) -> None:
    fields = settings_class(service).model_fields.items()
    assert [name for name, field in fields if not field.description] == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_page(service: str) -> None:
    readme = ROOT / "services" / service / "README.md"
    assert 10 <= readme.read_text().count("\n") <= 100, "one page"


def test_every_dependency_has_its_reason() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|", page, re.MULTILINE))
    assert set(rows) == dependencies()
    assert all(len(reason.split()) >= 3 for reason in rows.values())


def dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return {Requirement(line).name for line in lines} - {project["name"]}


def test_every_import_is_a_dependency() -> None:
    names = {canonicalize_name(name) for name in dependencies()}
    used = {module: providers(module) for module in imported_modules()}
    assert {module: found for module, found in used.items() if not found & names} == {}


def imported_modules() -> set[str]:
    """Top-level names that our sources import, Python's and our own left out."""
    names = {name.partition(".")[0] for path in own_sources() for name in imports(ast.parse(path.read_text()))}
    return names - {"demo", "learndock", "services", "tools"} - sys.stdlib_module_names


def own_sources() -> Iterator[Path]:
    for folder in ("learndock", "services", "demo", "tools"):  # benchmarks say themselves what they compare with
        for path in (ROOT / folder).rglob("*.py"):
            if "guest" not in path.parts:  # the guest runs in environments of the packages' own
                yield path


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@cache
def providers(module: str) -> set[str]:
    """Distributions that hold a module."""
    if module == "google":  # a namespace that two of our dependencies share
        return {"protobuf", "googleapis-common-protos"}
    return {canonicalize_name(name) for name in packages_distributions().get(module, [])}


def test_the_drawn_call_graph_is_the_real_one() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawn = {(caller, called) for caller, called in re.findall(r"^    (\w+) --> (\w+)$", page, re.MULTILINE)}
    assert drawn == set(calls())


def calls() -> Iterator[tuple[str, str]]:
    """Which service holds stubs of which other."""
    for path in (ROOT / "services").rglob("*.py"):
        for called in re.findall(r"\b(\w+)ServiceStub\(", path.read_text()):
            yield path.relative_to(ROOT / "services").parts[0], called.lower()


def test_pages_name_only_commands_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(page.name, target) for page, target in make_targets()}
    assert {(page, target) for page, target in named if target not in targets} == set()
    assert {("README.md", "demo"), ("README.md", "test")} <= named


def make_targets() -> Iterator[tuple[Path, str]]:
    for page in own_pages():
        for target in re.findall(r"(?:`|^\$ |^)make ([a-z-]+)", page.read_text(), re.MULTILINE):
            yield page, target


def test_pages_link_only_to_what_exists() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in own_pages()
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []


def own_pages() -> Iterator[Path]:
    for pattern in ("*.md", "docs/**/*.md", "services/*/README.md", "deploy/**/*.md", "examples/*.md"):
        yield from ROOT.glob(pattern)
