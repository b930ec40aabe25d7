"""What a package needs installed: `environment.yaml` or `requirements.txt`, as lines that pip understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from learndock.errors import InvalidInput, Reason
from learndock.package.archive import PackageArchive
from learndock.package.manifest import load_yaml

MAX_REQUIREMENTS_BYTES = 64 * 2**10
ENVIRONMENT_NAMES = ("environment.yaml", "environment.yml")
REQUIREMENTS_NAME = "requirements.txt"

_FIELD = "requirements"
# The dock's own shim stands in for the reference's engine.
_ENGINE = "learnware"
# Packages whose conda name is not their name on the package index.
_PIP_NAMES = {
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "py-xgboost": "xgboost",
    "pytables": "tables",
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "tensorflow-gpu": "tensorflow",
}
# What conda installs that is no Python package: wheels bring their own copies.
_CONDA_ONLY = re.compile(
    r"_.*|lib.*|cuda.*|intel-openmp|mkl(-.*)?|blas|openblas|openmp|llvm-openmp|openssl|ca-certificates|sqlite|tk"
    r"|xz|zlib|zstd|lz4-c|bzip2|readline|ncurses|ld_impl_.*|gcc.*|gxx.*|vc|vs\d+_runtime|ucrt|tzdata|icu|jpeg"
    r"|libpng|freetype|ffmpeg|hdf5|pytorch-mutex|cpuonly|pip|setuptools|wheel|python_abi|nodejs|r-.*"
)
_CONDA_SPEC = re.compile(r"(?:[\w./-]+::)?(?P<name>[A-Za-z0-9_.-]+)\s*(?P<rest>.*)")
_CONDA_VERSION = re.compile(r"(?P<exact>==|)=?\s*(?P<version>\d[\w.]*(?:\.\*)?\*?)(?:[\s=]+(?P<build>\w+))?")


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
    """The requirements in a conda environment file."""
    document = load_yaml(_decoded(data, name).encode(), _FIELD)
    entries = document.get("dependencies") or [] if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise _refusal(f"{name} has no list of dependencies.")
    pip_lines = [line for entry in entries if isinstance(entry, dict) for line in _pip_part(entry, name)]
    specs = [entry for entry in entries if isinstance(entry, str)]
    python = next((spec for spec in map(_split_spec, specs) if spec[0] == "python"), None)
    translated = {spec: _translated(*_split_spec(spec)) for spec in specs if _split_spec(spec)[0] != "python"}
    kept, dropped = _sorted_out(_logical_lines([line for line in translated.values() if line] + pip_lines))
    return Requirements(
        lines=kept,
        python=python[1].lstrip("=").split("=")[0].strip() or None if python else None,
        source=name,
        dropped=(*(spec for spec, line in translated.items() if not line), *dropped),
    )


def _pip_part(entry: dict[object, object], name: str) -> list[str]:
    lines = entry.get("pip") or []
    if set(entry) != {"pip"} or not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise _refusal(f"{name} has a part that is neither a package nor a list for pip.")
    return [str(line) for line in lines]


def _split_spec(spec: str) -> tuple[str, str]:
    match = _CONDA_SPEC.fullmatch(spec.strip())
    return (match["name"].lower(), match["rest"].strip()) if match else (spec, "")


def _translated(name: str, rest: str) -> str | None:
    """The pip line of a conda dependency, or None when it has none."""
    if _CONDA_ONLY.fullmatch(name) or "[" in rest:
        return None
    line = _PIP_NAMES.get(name, name) + _pip_version(rest)
    try:
        return str(Requirement(line))
    except InvalidRequirement:
        return None


def _pip_version(rest: str) -> str:
    """Conda's version constraint in pip's words: `=1.2` means 1.2.*, and `=1.2.3=build` exactly 1.2.3."""
    match = _CONDA_VERSION.fullmatch(rest)
    if match is None:  # comparisons are written alike
        return rest
    exact = match["exact"] or match["build"] or match["version"].endswith("*")
    return f"=={match['version']}" if exact else f"=={match['version']}.*"


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
