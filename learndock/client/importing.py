"""Learnwares of a reference dock, brought to this one many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
import tempfile
from typing import Protocol

from learndock.client import transfer
from learndock.errors import AlreadyExists, InvalidInput, LearndockError, Reason, ResourceExhausted, Unavailable
from learndock.learnware import Learnware, SemanticSpecification, Visibility
from learndock.package.manifest import MANIFEST_NAME
from learndock.package.reference import pack_folder
from learndock.package.semantic import parse_semantic

_POOL = ("learnware_pool", "zips")
_REPACKED = "_processed"


class ImportOutcome(StrEnum):
    """What became of a package."""

    ENTERED = "ENTERED"
    PRESENT = "PRESENT"
    REFUSED = "REFUSED"


@dataclass(frozen=True)
class Imported:
    """A package that was found, and what became of it.

    Attributes
    ----------
    source
        The archive or folder.
    outcome
        ENTERED now, PRESENT before, or REFUSED by the dock.
    learnware_id
        Its id at this dock; empty for REFUSED.
    message
        Why it was refused.
    """

    source: Path
    outcome: ImportOutcome
    learnware_id: str = ""
    message: str = ""


class Importer(Protocol):
    """What an import does with a dock."""

    def holders(self, sha256: str) -> Iterator[Learnware]:
        """Learnwares whose current version is this package."""

    def submit(
        self,
        path: Path,
        *,
        semantic: SemanticSpecification | None,
        visibility: Visibility,
        learnware_id: str,
        progress: transfer.Progress,
    ) -> Learnware:
        """Upload a package and enter it."""


def find_packages(path: Path) -> tuple[Path, ...]:
    """Archives and unpacked packages of a place, sorted.

    Parameters
    ----------
    path
        An archive, an unpacked package, a folder of either, or the folder of a reference's market, whose archives are
        in ``learnware_pool/zips`` and whose unpacked copies of them are passed by.

    Raises
    ------
    InvalidInput
        There is no package.
    """
    found = tuple(_packages(path))
    if not found:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"{path} is no package and holds none: no .zip, no {MANIFEST_NAME}.",
            field="path",
        )
    return found


def import_packages(
    dock: Importer, sources: Sequence[Path], *, visibility: Visibility, parallel: int
) -> Iterator[Imported]:
    """Submit packages, several at a time, and tell what became of each in their order.

    A package that is there already is not sent again, so that an import that broke off is simply run again.

    Raises
    ------
    LearndockError
        The dock cannot be reached, or the caller's quota is used up; what was told before is done.
    """
    with ThreadPoolExecutor(parallel, thread_name_prefix="import") as pool:
        coming = [pool.submit(_import, dock, source, visibility) for source in sources]
        try:
            for each in coming:
                yield each.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _packages(path: Path) -> Iterator[Path]:
    for pool in (path.joinpath(*_POOL), path / _POOL[-1]):
        if pool.is_dir():
            yield from _packages(pool)
            return
    if path.is_file() or (path / MANIFEST_NAME).is_file():
        yield path
        return
    archives = {each.stem: each for each in path.glob("*.zip")}
    repacked = {stem for stem in archives if stem.endswith(_REPACKED) and stem.removesuffix(_REPACKED) in archives}
    yield from (archives[stem] for stem in sorted(archives.keys() - repacked))
    yield from sorted(manifest.parent for manifest in path.glob(f"*/{MANIFEST_NAME}"))


def _import(dock: Importer, source: Path, visibility: Visibility) -> Imported:
    with tempfile.TemporaryDirectory(prefix="learndock-") as scratch:
        try:
            package = source
            if source.is_dir():
                package = Path(scratch) / f"{source.name}.zip"
                pack_folder(source, package)
            for present in dock.holders(transfer.file_sha256(package)):
                return Imported(source, ImportOutcome.PRESENT, present.learnware_id)
            learnware = dock.submit(
                package,
                semantic=_semantic_beside(source),
                visibility=visibility,
                learnware_id="",
                progress=transfer.silent,
            )
        except AlreadyExists as error:
            return Imported(source, ImportOutcome.PRESENT, error.resource or "")
        except (Unavailable, ResourceExhausted):
            raise
        except LearndockError as error:
            return Imported(source, ImportOutcome.REFUSED, message=_told(error))
    return Imported(source, ImportOutcome.ENTERED, learnware.learnware_id)


def _told(error: LearndockError) -> str:
    return "; ".join(f"{each.field}: {each.description}" for each in error.violations) or error.message


def _semantic_beside(source: Path) -> SemanticSpecification | None:
    """What the reference's backend keeps beside an upload, `ID.zip` and `ID.json`; None leaves it to the package."""
    path = source.with_suffix(".json")
    return parse_semantic(path.read_bytes()) if source.is_file() and path.is_file() else None
