"""Reading a package's zip archive without trusting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self
import unicodedata
import zlib

from learndock.errors import Reason, ResourceExhausted
from learndock.package.zip_directory import DEFLATED, Entry, PlacedEntry, invalid, read_directory

_CHUNK_BYTES = 2**16
_RATIO_APPLIES_ABOVE = 2**20
# macOS puts its own metadata beside the files it archives.
_FOREIGN_FOLDER = "__MACOSX/"
# Control, format (such as writing-direction marks), surrogates, line and paragraph separators.
_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class ArchiveLimits:
    """How large an archive may be.

    Attributes
    ----------
    max_bytes
        Length of the archive.
    max_entries
        Number of files and folders.
    max_unpacked_bytes
        Sum of the files' lengths.
    max_ratio
        Length over compressed length, for files above 1 MiB.
    max_path_bytes
        Length of a member's path in UTF-8.
    max_depth
        Number of a path's parts.
    """

    max_bytes: int = 2 * 2**30
    max_entries: int = 10_000
    max_unpacked_bytes: int = 4 * 2**30
    max_ratio: int = 100
    max_path_bytes: int = 255
    max_depth: int = 16


class PackageArchive:
    """An opened archive in which every rule has been checked; a context manager.

    Names are relative to the package's root: the one top folder that some archivers add is not part of them.
    """

    def __init__(self, file: BinaryIO, members: Mapping[str, PlacedEntry]) -> None:
        self._file = file
        self._members = members

    @classmethod
    def open(cls, path: Path, limits: ArchiveLimits = ArchiveLimits()) -> Self:  # frozen
        """Open the archive at `path`.

        Raises
        ------
        InvalidInput
            PACKAGE_INVALID: the file is no zip archive, is damaged, or breaks a rule of safety.
        ResourceExhausted
            PACKAGE_TOO_LARGE: the file exceeds `limits.max_bytes`.
        """
        size_bytes = path.stat().st_size
        if size_bytes > limits.max_bytes:
            raise ResourceExhausted(Reason.PACKAGE_TOO_LARGE, f"A package has at most {limits.max_bytes} bytes.")
        file = path.open("rb")
        try:
            placed = read_directory(file, size_bytes, limits.max_entries)
            _check_paths([each.entry.name for each in placed], limits)
            _check_sizes([each.entry for each in placed], limits)
            return cls(file, _rooted(placed))
        except BaseException:
            file.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the files, sorted."""
        return tuple(self._members)

    def size(self, name: str) -> int:
        """Length of a file in bytes."""
        return self._members[name].entry.size_bytes

    def read(self, name: str, limit: int) -> bytes:
        """Content of a file.

        Parameters
        ----------
        name
            One of `names`.
        limit
            Most bytes that the content may have.

        Raises
        ------
        InvalidInput
            PACKAGE_INVALID: there is no such file, it is longer than `limit`, or it is damaged.
        """
        if name not in self._members:
            raise invalid(f"The package has no {name}.")
        if self.size(name) > limit:
            raise invalid(f"{name} has {self.size(name)} bytes; at most {limit} are taken.")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """Content of a file, piece by piece; raises as `read` does when it turns out to be damaged."""
        placed = self._members[name]
        entry = placed.entry
        checksum = count = 0
        for chunk in _inflated(self._file, placed):
            count += len(chunk)
            if count > entry.size_bytes:
                break
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if count != entry.size_bytes or checksum != entry.crc:
            raise invalid(f"{name} is damaged: its length or checksum is not as declared.")

    def extract(self, directory: Path) -> None:
        """Write all files under `directory`, which must exist and be empty."""
        for name in self.names:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                for chunk in self.chunks(name):
                    file.write(chunk)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _inflated(file: BinaryIO, placed: PlacedEntry) -> Iterator[bytes]:
    entry = placed.entry
    if entry.method != DEFLATED:
        yield from _raw(file, placed)
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for raw in _raw(file, placed):
            pending = raw
            while pending and not inflater.eof:
                yield inflater.decompress(pending, _CHUNK_BYTES)
                pending = inflater.unconsumed_tail
        while not inflater.eof and (chunk := inflater.decompress(b"", _CHUNK_BYTES)):
            yield chunk
    except zlib.error:
        raise invalid(f"{entry.name!r} is damaged: it cannot be decompressed.") from None
    if not inflater.eof or inflater.unused_data:
        raise invalid(f"{entry.name!r} is damaged: its compressed data does not end where it should.")


def _raw(file: BinaryIO, placed: PlacedEntry) -> Iterator[bytes]:
    offset, left = placed.data_offset, placed.entry.compressed_bytes
    while left:
        file.seek(offset)  # another member may be read between two pieces of this one
        raw = file.read(min(left, _CHUNK_BYTES))
        if not raw:
            raise invalid("The archive is shorter than it says.")
        offset, left = offset + len(raw), left - len(raw)
        yield raw


def _rooted(placed: Sequence[PlacedEntry]) -> dict[str, PlacedEntry]:
    files = {
        each.entry.name: each
        for each in placed
        if not each.entry.is_folder and not each.entry.name.startswith(_FOREIGN_FOLDER)
    }
    tops = {name.split("/", 1)[0] if "/" in name else "" for name in files}
    prefix = f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""
    return {name.removeprefix(prefix): files[name] for name in sorted(files)}


def _check_sizes(entries: Sequence[Entry], limits: ArchiveLimits) -> None:
    if sum(entry.size_bytes for entry in entries) > limits.max_unpacked_bytes:
        raise invalid(f"The package has more than {limits.max_unpacked_bytes} bytes unpacked.")
    for entry in entries:
        if entry.size_bytes > max(_RATIO_APPLIES_ABOVE, limits.max_ratio * entry.compressed_bytes):
            raise invalid(f"{entry.name!r} is compressed by more than {limits.max_ratio} to 1.")


def _check_paths(names: Sequence[str], limits: ArchiveLimits) -> None:
    for name in names:
        _check_path(name, limits)
    if len(set(names)) != len(names):
        raise invalid("Two entries have the same name.")
    files = {name for name in names if not name.endswith("/")}
    spellings: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        for part in (path, *path.parents[:-1]):
            if spellings.setdefault(_folded(str(part)), str(part)) != str(part):
                raise invalid(f"{name!r} differs from another name only in case or accents.")
            if (part != path or name.endswith("/")) and str(part) in files:
                raise invalid(f"{str(part)!r} is both a file and a folder.")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _check_path(name: str, limits: ArchiveLimits) -> None:
    parts = name.removesuffix("/").split("/")
    if any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in name):
        raise invalid(f"The name {name!r} holds a control character.")
    if "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts):
        raise invalid(f"The name {name!r} is not a plain relative path.")
    if len(name.encode()) > limits.max_path_bytes or len(parts) > limits.max_depth:
        raise invalid(f"The name {name[:40]!r}... is too long or too deep.")
