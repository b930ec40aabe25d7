"""Everything that can be known of a package without running it."""

from __future__ import annotations

from dataclasses import dataclass
import hashlib
from pathlib import Path

from learndock.errors import FieldViolation, InvalidInput, Reason
from learndock.learnware import Modality, SemanticSpecification
from learndock.package.archive import PackageArchive
from learndock.package.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, Manifest, SpecificationEntry, parse_manifest
from learndock.package.requirements import Requirements, read_requirements
from learndock.package.scan import ScanReport, scan
from learndock.package.semantic import MAX_SEMANTIC_BYTES, SEMANTIC_NAME, check_semantic, parse_semantic
from learndock.rkme.interchange import read_reference
from learndock.rkme.specification import Specification

# As Python's numbers a JSON file takes seven times its length: this keeps an inspection below 256 MiB of memory.
MAX_SPECIFICATION_BYTES = 32 * 2**20

# Tasks that may come without a statistical specification, as in the reference.
_UNDESCRIBED_TASKS = ("Text Generation", "Others")
_MODALITIES = {"Table": Modality.TABLE, "Image": Modality.IMAGE, "Text": Modality.TEXT}


@dataclass(frozen=True, eq=False)
class Inspection:
    """What a package says of itself.

    Attributes
    ----------
    manifest
        Its `learnware.yaml`.
    semantic
        What it is for: as submitted with it, else as it says itself; None when neither tells.
    specification
        Its statistical specification; None for the tasks that may come without one.
    requirements
        What it needs installed.
    scan
        What its files could do when they are loaded.
    sha256
        Digest of the archive, 64 hexadecimal digits.
    size_bytes
        Length of the archive.
    """

    manifest: Manifest
    semantic: SemanticSpecification | None
    specification: Specification | None
    requirements: Requirements
    scan: ScanReport
    sha256: str
    size_bytes: int


def inspect_package(path: Path, semantic: SemanticSpecification | None = None, *, sha256: str = "") -> Inspection:
    """Read and check the package at `path`, in this process; see `learndock.package.confined` for strangers' packages.

    Parameters
    ----------
    path
        The archive.
    semantic
        What it is for, where the submitter tells; takes the place of the package's own.
    sha256
        Digest of the archive, where it is known already.

    Raises
    ------
    InvalidInput
        A rule for archives, manifests, semantic or statistical specifications or requirements is broken.
    ResourceExhausted
        PACKAGE_TOO_LARGE.
    """
    with PackageArchive.open(path) as archive:
        manifest = _read_manifest(archive)
        semantic = semantic or _read_semantic(archive, manifest)
        specification = _read_specification(archive, manifest)
        if semantic is not None:
            check_semantic(semantic)
            check_fit(semantic, specification)
        return Inspection(
            manifest=manifest,
            semantic=semantic,
            specification=specification,
            requirements=read_requirements(archive),
            scan=scan(archive),
            sha256=sha256 or file_sha256(path),
            size_bytes=path.stat().st_size,
        )


def check_fit(semantic: SemanticSpecification, specification: Specification | None) -> None:
    """Check that the two specifications speak of the same inputs.

    Raises
    ------
    InvalidInput
        SPECIFICATION_INVALID: the statistical specification is missing, of other data, or of another dimension.
    """
    if specification is None:
        if semantic.task not in _UNDESCRIBED_TASKS:
            raise _misfit("specification", f"A package for {semantic.task} needs a statistical specification.")
        return
    if specification.modality is not _MODALITIES[semantic.data]:
        raise _misfit(
            "specification.modality", f"The specification is of {specification.modality} data, not {semantic.data}."
        )
    if semantic.data == "Table" and semantic.input and semantic.input.dimension != specification.dimension:
        raise _misfit(
            "specification.dimension",
            f"The specification has {specification.dimension} dimensions, the described input"
            f" {semantic.input.dimension}.",
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _misfit(field: str, message: str) -> InvalidInput:
    return InvalidInput(Reason.SPECIFICATION_INVALID, message, field=field)


def _read_manifest(archive: PackageArchive) -> Manifest:
    if MANIFEST_NAME not in archive.names:
        raise InvalidInput(Reason.MANIFEST_INVALID, f"The package has no {MANIFEST_NAME}.", field="manifest")
    manifest = parse_manifest(archive.read(MANIFEST_NAME, MAX_MANIFEST_BYTES))
    if manifest.model.module_path not in archive.names:
        raise InvalidInput(
            Reason.MANIFEST_INVALID,
            f"The package has no {manifest.model.module_path}, which should define the model.",
            field="manifest.model.module_path",
        )
    return manifest


def _read_semantic(archive: PackageArchive, manifest: Manifest) -> SemanticSpecification | None:
    name = manifest.semantic_file or SEMANTIC_NAME
    if name in archive.names:
        return parse_semantic(archive.read(name, MAX_SEMANTIC_BYTES))
    if manifest.semantic_file:
        raise InvalidInput(
            Reason.MANIFEST_INVALID,
            f"The package has no {name}, which the manifest names.",
            field="manifest.semantic_specification.file_name",
        )
    return None


def _read_specification(archive: PackageArchive, manifest: Manifest) -> Specification | None:
    found = [entry for entry in manifest.specifications if entry.is_rkme and _is_present(archive, entry)]
    if not found:
        return None
    try:
        return read_reference(archive.read(found[-1].file_name, MAX_SPECIFICATION_BYTES))
    except InvalidInput as error:
        raise _within(error, "specification") from error


def _within(error: InvalidInput, field: str) -> InvalidInput:
    """The same error, about parts of `field`."""
    violations = [
        FieldViolation(f"{field}.{each.field.removeprefix(f'{field}.')}", each.description) for each in error.violations
    ]
    return InvalidInput(error.reason, error.message, violations=violations)


def _is_present(archive: PackageArchive, entry: SpecificationEntry) -> bool:
    if entry.file_name in archive.names:
        return True
    if not entry.assumed:
        raise _misfit("specification", f"The package has no {entry.file_name}, which the manifest names.")
    return False
