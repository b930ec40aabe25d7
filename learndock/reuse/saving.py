"""A fitted reuser as a package of its own: the members' packages, what was learnt, and the strategies' code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
import pickle

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.archive import PackageArchive
from learndock.package.build import SourceModel, build_package, installed_requirements
from learndock.package.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, ModelEntry, parse_manifest
from learndock.package.model_sources import REUSER
from learndock.package.requirements import read_requirements
from learndock.reuse.job_selector import JobSelectorReuser
from learndock.reuse.labelled import LabelledReuser
from learndock.reuse.mapped import Mapped
from learndock.reuse.member import Member, shares
from learndock.reuse.outputs import names_of
from learndock.reuse.reuser import Reuser
from learndock.reuse.saved import MEMBERS_NAME, REUSER_NAME, Absent, with_model
from learndock.rkme.specification import MAX_ATOMS, MAX_NUMBERS, Specification

# What the strategies need to run; `tests/unit/test_reuse_saving.py` runs them with nothing else.
_CODE = ("errors.py", "learnware.py", "reuse/*.py", "rkme/kernel.py", "rkme/simplex.py", "rkme/specification.py")
_NEEDED_HERE_ONLY = ("reuse/mapped.py", "reuse/saving.py")
_PACKAGES = ("__init__.py", "rkme/__init__.py")
_MOST_FILE_BYTES = 2 * 2**30
_LIBRARIES = ("numpy", "scipy", "sklearn", "quadprog")


@dataclass(frozen=True)
class Describing:
    """What a saved reuser is called.

    Attributes
    ----------
    name, description
        Free text; made of the members where empty.
    """

    name: str = ""
    description: str = ""


def save(path: Path, reuser: Reuser, packages: Sequence[Path], describing: Describing = Describing()) -> None:
    """Write a package whose model answers as a fitted reuser does.

    It holds the members' packages, runs them in one sandbox with the requirements of all, and names their ids. Its
    specification is the mixture of theirs, weighted by how much each counts. It classifies by probability.

    Parameters
    ----------
    path
        Where to; replaced if it exists.
    reuser
        Fitted.
    packages
        The members' zip files, in their order.
    describing
        Its name and description.

    Raises
    ------
    InvalidInput
        Members pin different versions of one library (UNSUPPORTED_DEPENDENCY), are of another feature space, have no
        specification or a module that is no file (STRATEGY_UNSUITABLE), or the parts do not fit a package.
    """
    _check_own_columns(reuser)
    _check_space(reuser)
    semantic = _semantic(reuser, describing)
    specification = _specification(reuser)
    files: dict[str, bytes] = {REUSER_NAME: _pickled(reuser), **dict(_code())}
    entries, lines = [], []
    for number, package in enumerate(packages):
        with PackageArchive.open(package) as archive:
            entries.append(_entry(archive))
            lines.append(read_requirements(archive).lines)
            for name in archive.names:
                files[f"{MEMBERS_NAME}/{number}/{name}"] = archive.read(name, _MOST_FILE_BYTES)
    kwargs: dict[str, object] = {
        "input_shape": None if semantic.data == "Text" else list(specification.item_shape),
        "output_shape": [semantic.output.dimension if semantic.output else 1],
        "members": entries,
    }
    build_package(
        path,
        model=SourceModel(REUSER, kwargs=kwargs, files=files),
        semantic=semantic,
        specification=specification,
        requirements=merged((*lines, installed_requirements(_LIBRARIES))),
        required_learnware_ids=[member.learnware_id for member in reuser.members],
    )


def _check_own_columns(reuser: Reuser) -> None:
    mapped = [member.learnware_id for member in reuser.members if isinstance(member.model, Mapped)]
    if mapped:
        raise InvalidInput(
            Reason.STRATEGY_UNSUITABLE,
            f"{mapped[0]} is of another feature space; only members with the task's own columns can be saved.",
            field="members",
        )


def _check_space(reuser: Reuser) -> None:
    if isinstance(reuser, JobSelectorReuser) and reuser.router_.space.encoder:
        raise _unsuitable("JOB_SELECTOR of images or texts needs their encoder, which no package holds; use AVERAGE.")


def merged(requirements: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Requirements of several packages as those of one.

    Raises
    ------
    InvalidInput
        Two pin different versions of one library (UNSUPPORTED_DEPENDENCY).
    """
    pinned: dict[str, str] = {}
    for line in (line for lines in requirements for line in lines):
        asked = Requirement(line)
        pins = [specifier.version for specifier in asked.specifier if specifier.operator == "=="]
        name = canonicalize_name(asked.name)
        if pins and pinned.setdefault(name, pins[0]) != pins[0]:
            raise InvalidInput(
                Reason.UNSUPPORTED_DEPENDENCY,
                f"Together they need {name} {pinned[name]} and {pins[0]}; one sandbox holds one version.",
                field="members",
            )
    return tuple(dict.fromkeys(line for lines in requirements for line in lines))


def _entry(archive: PackageArchive) -> Mapping[str, object]:
    model: ModelEntry = parse_manifest(archive.read(MANIFEST_NAME, MAX_MANIFEST_BYTES)).model
    if not model.module_path.endswith(".py"):
        raise _unsuitable(f"A member's class is in the module {model.module_path}, not in a file; it cannot be nested.")
    return {"module_path": model.module_path, "class_name": model.class_name, "kwargs": dict(model.kwargs)}


def _pickled(reuser: Reuser) -> bytes:
    """The reuser without its members' models."""
    members = reuser.members
    try:
        reuser.set_params(members=[with_model(member, Absent()) for member in members])
        return pickle.dumps(reuser, protocol=5)
    finally:
        reuser.set_params(members=members)


def _code() -> Iterator[tuple[str, bytes]]:
    """Source files of the strategies, by their place in the package."""
    root = Path(__file__).parents[1]
    for pattern in _CODE:
        for file in sorted(root.glob(pattern)):
            name = file.relative_to(root).as_posix()
            if name not in _NEEDED_HERE_ONLY:
                yield f"learndock/{name}", file.read_bytes()
    for name in _PACKAGES:
        yield f"learndock/{name}", b""


def _weights(reuser: Reuser) -> list[float]:
    """How much each member counts; equally where the labels alone are used."""
    counts = reuser.contributions_ if isinstance(reuser, LabelledReuser) else shares(reuser.members)
    total = float(counts.sum())
    return [float(count) / total for count in counts] if total > 0 else [1 / len(counts)] * len(counts)


def _specification(reuser: Reuser) -> Specification:
    """The mixture of the members' specifications, its heaviest atoms where these are too many."""
    known = [member.specification for member in reuser.members if member.specification is not None]
    first = known[0] if known else None
    if first is None or len(known) < len(reuser.members):
        raise _unsuitable("Every member needs a specification.")
    parts = zip(_weights(reuser), known, strict=True)
    weights = np.concatenate([share * specification.weights for share, specification in parts])
    atoms = np.concatenate([specification.atoms for specification in known])
    most = min(MAX_ATOMS, MAX_NUMBERS // first.dimension)
    heaviest = np.sort(np.argsort(-weights, kind="stable")[:most])
    heaviest = heaviest[weights[heaviest] > 0]
    return replace(
        first,
        atoms=atoms[heaviest],
        weights=weights[heaviest] / weights[heaviest].sum(),
        row_count=sum(specification.row_count for specification in known),
        fidelity=None,
        privacy=None,
    )


def _semantic(reuser: Reuser, describing: Describing) -> SemanticSpecification:
    first = reuser.members[0].semantic
    ids = ", ".join(member.learnware_id for member in reuser.members)
    made_by = type(reuser).__name__.removesuffix("Reuser")
    licences = {member.semantic.license for member in reuser.members}
    return replace(
        first,
        name=describing.name or f"{made_by} of {len(reuser.members)} learnwares",
        description=describing.description or f"{made_by} reuse of the learnwares {ids}.",
        scenarios=tuple(dict.fromkeys(word for member in reuser.members for word in member.semantic.scenarios)),
        license=first.license if len(licences) == 1 else "Others",
        output=_output(reuser.members, reuser.class_set_.size) if first.task == "Classification" else first.output,
    )


def _output(members: Sequence[Member], size: int) -> FeatureSpace | None:
    """Meaning of all members' classes in their common order."""
    first = members[0].semantic.output
    if first is not None and first.dimension == size:
        return first
    names = list(dict.fromkeys(name for member in members for name in names_of(member.semantic.output)))
    return FeatureSpace(size, dict(enumerate(names)) if len(names) == size else {})


def _unsuitable(message: str) -> InvalidInput:
    return InvalidInput(Reason.STRATEGY_UNSUITABLE, message, field="members")
