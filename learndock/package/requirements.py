"""What a package needs installed: `environment.yaml` or `requirements.txt`, as lines that pip understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from learndock.errors import InvalidInput, Reason
from learndock.package import conda
from learndock.package.archive import PackageArchive
from learndock.package.manifest import load_yaml

MAX_REQUIREMENTS_BYTES = 64 * 2**10
ENVIRONMENT_NAMES = ("environment.yaml", "environment.yml")
REQUIREMENTS_NAME = "requirements.txt"

_FIELD = "requirements"
# The dock's own shim stands in for the reference's engine.
_ENGINE = "learnware"


@dataclass(frozen=True)
class Requirements:
    """What must be installed before the model runs.

    Attributes
    ----------
    lines
        Requirements as pip writes them, without the reference's engine.
    python
        Python that `environment.yaml` asks for, if any.
    source
        File they come from; empty when the package names none.
    dropped
        Entries that were left out because they mean nothing outside of conda, or are the engine.
    """

    lines: tuple[str, ...] = ()
    python: str | None = None
    source: str = ""
    dropped: tuple[str, ...] = ()


def read_requirements(archive: PackageArchive) -> Requirements:
    """The requirements of a package; `environment.yaml` wins over `requirements.txt`.

    Raises
    ------
    InvalidInput
        UNSUPPORTED_DEPENDENCY: a line is an option, an address or a path, or cannot be understood.
        MANIFEST_INVALID: `environment.yaml` is not plain YAML.
    """
    for name in ENVIRONMENT_NAMES:
        if name in archive.names:
            return parse_environment(archive.read(name, MAX_REQUIREMENTS_BYTES), name)
    if REQUIREMENTS_NAME in archive.names:
        text = _decoded(archive.read(REQUIREMENTS_NAME, MAX_REQUIREMENTS_BYTES), REQUIREMENTS_NAME)
        return parse_requirements(text)
    return Requirements()


def parse_requirements(text: str) -> Requirements:
    """The requirements in a `requirements.txt`."""
    kept, dropped = _sorted_out(_logical_lines(text.splitlines()))
    return Requirements(lines=kept, source=REQUIREMENTS_NAME, dropped=dropped)


def parse_environment(data: bytes, name: str) -> Requirements:
    """The requirements in a conda environment file.

    Raises
    ------
    InvalidInput
        UNSUPPORTED_DEPENDENCY: a dependency has no words in pip's language; the message names its line.
    """
    text = _decoded(data, name)
    document = load_yaml(text.encode(), _FIELD)
    entries = document.get("dependencies") or [] if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _refusal(f"{name} has no list of dependencies.")
    pip_lines = [line for entry in entries if not isinstance(entry, str) for line in _pip_part(entry, name)]
    python, translated = _conda_part([entry for entry in entries if isinstance(entry, str)], text, name)
    kept, dropped = _sorted_out(_logical_lines([line for line in translated.values() if line] + pip_lines))
    left_out = (spec for spec, line in translated.items() if not line)
    return Requirements(lines=kept, python=python, source=name, dropped=(*left_out, *dropped))


def _conda_part(specs: Iterable[str], text: str, name: str) -> tuple[str | None, dict[str, str | None]]:
    """The Python asked for, and the pip line of each other dependency, None where it has no meaning for pip."""
    python, translated = None, dict[str, str | None]()
    for spec in specs:
        try:
            package, bounds = conda.split(spec)
            if package == "python":
                python = bounds.lstrip("=") or None
            else:
                translated[spec] = conda.translated(package, bounds)
        except ValueError as error:
            raise _refusal(f"{_place(spec, text, name)} cannot be had as a wheel: {error}.") from None
    return python, translated


def _place(spec: str, text: str, name: str) -> str:
    """Where a dependency stands, for whoever has to change it."""
    lines = (number for number, line in enumerate(text.splitlines(), 1) if spec in line)
    number = next(lines, None)
    return f"{spec[:100]!r} in {name}" + (f", line {number}," if number else "")


def _pip_part(entry: object, name: str) -> list[str]:
    lines = (entry["pip"] or []) if isinstance(entry, dict) and set(entry) == {"pip"} else None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise _refusal(f"{name} has a part that is neither a package nor a list for pip.")
    return [str(line) for line in lines]


def _logical_lines(lines: Iterable[str]) -> Iterator[str]:
    held = ""
    for line in lines:
        held += line
        if held.endswith("\\"):
            held = held[:-1]
            continue
        text = re.sub(r"(^|\s)#.*$", "", held).strip()
        held = ""
        if text:
            yield text


def _sorted_out(lines: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kept: dict[str, None] = {}
    dropped = []
    for line in lines:
        requirement = _parsed(line)
        if canonicalize_name(requirement.name) == _ENGINE:
            dropped.append(line)
        else:
            kept[str(requirement)] = None
    return tuple(kept), tuple(dropped)


def _parsed(line: str) -> Requirement:
    if line.startswith("-"):
        raise _refusal(f"{line[:100]!r} is an option of pip; name packages only.")
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        raise _refusal(f"{line[:100]!r} is not a package and its version.") from None
    if requirement.url:
        raise _refusal(f"{line[:100]!r} comes from an address; name a package and its version.")
    return requirement


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal(f"{name} is not UTF-8.") from None


def _refusal(message: str) -> InvalidInput:
    return InvalidInput(Reason.UNSUPPORTED_DEPENDENCY, message, field=_FIELD)
