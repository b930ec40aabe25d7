"""What the files of a package could do when they are loaded, told from their bytes; nothing is loaded.

The answer is advice and a label. Isolation is what protects the dock.
"""

from __future__ import annotations

import bz2
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import io
import lzma
import re
from tempfile import TemporaryFile
from typing import IO, BinaryIO, Protocol
import zipfile
import zlib

import numpy as np

from learndock.learnware import FormatClass
from learndock.package.archive import PackageArchive
from learndock.package.pickles import Pieces, list_globals, names_of_one, unusual_globals

MAX_MEMBER_BYTES = 512 * 2**20
MAX_NESTED_FILES = 10_000
MAX_DEPTH = 4
MAX_FINDINGS = 100

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt")
# Formats that are no pickle and can still hold code: Keras' Lambda layers, TensorFlow graphs, exported Torch programs,
# compiled modules.
_CODE_SUFFIXES = (".h5", ".hdf5", ".keras", ".pb", ".pt2", ".so", ".pyc", ".pyd")
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_UNKNOWN_COMPRESSIONS = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")  # LZ4, Zstandard
_CHUNK_BYTES = 2**16
_HEAD_BYTES = 512


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_COMPRESSIONS: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(zlib.MAX_WBITS + 16),
    b"x\x01": zlib.decompressobj,
    b"x\x5e": zlib.decompressobj,
    b"x\x9c": zlib.decompressobj,
    b"x\xda": zlib.decompressobj,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
    b"\x5d\x00\x00": lzma.LZMADecompressor,
}


@dataclass(frozen=True)
class Finding:
    """Something in a file that a careful reader should know.

    Attributes
    ----------
    file
        Member of the package.
    message
        What it is, one line.
    """

    file: str
    message: str


@dataclass(frozen=True)
class ScanReport:
    """What a scan of all files says.

    Attributes
    ----------
    format_class
        CODE when any file is in a format that can hold code besides the package's own Python.
    findings
        What is unusual, at most `MAX_FINDINGS`.
    """

    format_class: FormatClass
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _File:
    """A file of the package, or one inside of such; `open` gives its content from the beginning."""

    name: str
    size: int
    depth: int
    open: Callable[[], BinaryIO]

    @property
    def suffix(self) -> str:
        return self.name[self.name.rfind(".") :].lower() if "." in self.name else ""


def scan(archive: PackageArchive) -> ScanReport:
    """Look at every file of a package by its first bytes and its name."""
    findings: list[Finding] = []
    format_class = FormatClass.SAFE
    for name in archive.names:
        messages = _look(_File(name, archive.size(name), 0, _opener(archive, name)))
        if messages is not None:
            format_class = FormatClass.CODE
            findings += [Finding(name, message) for message in dict.fromkeys(messages)]
    return ScanReport(format_class, tuple(findings[:MAX_FINDINGS]))


def _opener(archive: PackageArchive, name: str) -> Callable[[], BinaryIO]:
    return lambda: io.BufferedReader(Pieces(archive.chunks(name)), _CHUNK_BYTES)


def _look(file: _File) -> list[str] | None:
    """What is unusual in a file that can hold code; None for a file that cannot."""
    head = file.open().read(_HEAD_BYTES)
    if file.size > MAX_MEMBER_BYTES and file.suffix != ".safetensors":
        return ["is too large to be looked into"]
    if file.depth > MAX_DEPTH:
        return ["is nested too deeply to be looked into"]
    if head.startswith(b"PK\x03\x04"):
        return _look_into_archive(file)
    if head.startswith(b"\x93NUMPY"):
        return _look_at_array(file.open())
    if head.startswith(tuple(_COMPRESSIONS)):
        return _look_into_compressed(file, head)
    if head.startswith(_UNKNOWN_COMPRESSIONS):
        return ["is compressed and was not looked into"]
    if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return ["is an archive that was not looked into"]
    return _look_at_pickle(file, head)


def _look_at_pickle(file: _File, head: bytes) -> list[str] | None:
    if _PICKLE_START.match(head) or file.suffix in _PICKLE_SUFFIXES:
        return _pickle_messages(file.open())
    # Whatever a file is called, its model may take it for a pickle; early protocols have no mark of their own.
    if names_of_one(file.open()):
        return _pickle_messages(file.open())
    return [] if file.suffix in _CODE_SUFFIXES else None


def _pickle_messages(stream: BinaryIO) -> list[str]:
    content = list_globals(stream)
    messages = [f"looks up {name[:200]}" for name in unusual_globals(content.names)]
    return messages if content.complete else [*messages, "could not be followed to its end"]


def _look_at_array(stream: BinaryIO) -> list[str] | None:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = read_header(stream)[2]
    except (ValueError, TypeError, RecursionError):
        return ["is a damaged array"]
    return ["is an array of pickled objects", *_pickle_messages(stream)] if dtype.hasobject else None


def _look_into_compressed(file: _File, head: bytes) -> list[str] | None:
    make = next(make for magic, make in _COMPRESSIONS.items() if head.startswith(magic))
    try:
        inner = _look(
            _File(
                file.name,
                0,
                file.depth + 1,
                lambda: io.BufferedReader(Pieces(_decompressed(file.open(), make())), _CHUNK_BYTES),
            )
        )
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        return _look_at_pickle(file, head)  # the first bytes were there by chance
    return inner


def _decompressed(stream: BinaryIO, decompressor: _Decompressor) -> Iterator[bytes]:
    left = MAX_MEMBER_BYTES
    while left > 0 and (raw := stream.read(_CHUNK_BYTES)):
        piece = decompressor.decompress(raw, left)
        left -= len(piece)
        if piece:
            yield piece


def _look_into_archive(file: _File) -> list[str] | None:
    with TemporaryFile() as copy:
        stream = file.open()
        while piece := stream.read(_CHUNK_BYTES):
            copy.write(piece)
        try:
            with zipfile.ZipFile(copy) as nested:
                return _look_at_entries(nested, file.depth + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError, zlib.error):
            return ["is a damaged archive"]


def _look_at_entries(nested: zipfile.ZipFile, depth: int) -> list[str] | None:
    entries = [entry for entry in nested.infolist() if not entry.is_dir()]
    if len(entries) > MAX_NESTED_FILES:
        return ["holds too many files to be looked into"]
    found: list[str] | None = None
    for entry in entries:
        messages = _look(_File(entry.filename, entry.file_size, depth, _entry_opener(nested, entry)))
        if messages is None and "/code/" in entry.filename:  # TorchScript
            messages = []
        if messages is not None:
            found = [*(found or []), *messages]
    return found


def _entry_opener(nested: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: io.BufferedReader(Pieces(_bounded(nested.open(entry))), _CHUNK_BYTES)


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    left = MAX_MEMBER_BYTES
    while left and (piece := file.read(min(left, _CHUNK_BYTES))):
        left -= len(piece)
        yield piece
