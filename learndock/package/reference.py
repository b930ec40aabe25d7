"""Packages as the reference dock keeps them: archives of unpacked folders, and archives that tell all of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import stat
import zipfile

import yaml

from learndock.errors import InvalidInput, Reason
from learndock.learnware import SemanticSpecification
from learndock.package.archive import PackageArchive
from learndock.package.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, load_yaml
from learndock.package.semantic import SEMANTIC_NAME, semantic_json

# The same content gives the same bytes, whenever it is packed; the earliest time that a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK_BYTES = 2**20
# Above this a file that compresses too well would pass for a decompression bomb; weights hardly compress anyway.
_DEFLATED_UP_TO = 2**20
_LEFT_OUT = ("__pycache__", "__MACOSX", ".git", ".DS_Store")


def pack_folder(folder: Path, target: Path) -> None:
    """Make an archive of an unpacked package; compiled modules and what file managers leave is not taken.

    Raises
    ------
    InvalidInput
        MANIFEST_INVALID: the folder holds no manifest.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise InvalidInput(Reason.MANIFEST_INVALID, f"{folder} has no {MANIFEST_NAME}.", field="manifest")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not path.is_symlink() and not set(parts) & set(_LEFT_OUT):
                _add(archive, "/".join(parts), path.stat().st_size, _pieces(path))


def export_reference(package: Path, target: Path, *, learnware_id: str, semantic: SemanticSpecification) -> None:
    """Copy a package into an archive that names its id and what it is for, as the reference's dock does.

    Parameters
    ----------
    package
        The archive as it was submitted.
    target
        The archive to make.
    learnware_id
        Id of the learnware, 8 digits.
    semantic
        What the learnware is for, as the dock has it now.

    Raises
    ------
    InvalidInput
        The package is none.
    """
    with PackageArchive.open(package) as source, zipfile.ZipFile(target, "w") as archive:
        manifest = load_yaml(source.read(MANIFEST_NAME, MAX_MANIFEST_BYTES), "manifest")
        assert isinstance(manifest, dict | None)  # noqa: S101  # the dock has read it before
        told = {"id": learnware_id, "semantic_specification": {"file_name": SEMANTIC_NAME}}
        _add_bytes(archive, MANIFEST_NAME, yaml.safe_dump({**(manifest or {}), **told}, sort_keys=False).encode())
        _add_bytes(archive, SEMANTIC_NAME, semantic_json(semantic))
        for name in source.names:
            if name not in (MANIFEST_NAME, SEMANTIC_NAME):
                _add(archive, name, source.size(name), source.chunks(name))


def _add_bytes(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    _add(archive, name, len(data), iter([data]))


def _add(archive: zipfile.ZipFile, name: str, size_bytes: int, pieces: Iterator[bytes]) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = 3  # Unix, whatever the machine
    entry.compress_type = zipfile.ZIP_DEFLATED if size_bytes <= _DEFLATED_UP_TO else zipfile.ZIP_STORED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    with archive.open(entry, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(_CHUNK_BYTES), b"")
