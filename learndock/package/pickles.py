"""What the files of a package could do when they are loaded: pickle opcodes are listed, never executed.

The answer is advice and a label. Isolation is what protects the dock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import io
import pickletools
import re
from tempfile import TemporaryFile
from typing import IO, BinaryIO
import zipfile

import numpy as np

from learndock.learnware import FormatClass
from learndock.package.archive import PackageArchive

MAX_MEMBER_BYTES = 512 * 2**20
MAX_NESTED_FILES = 10_000
MAX_FINDINGS = 100

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".ckpt")
# Formats that are no pickle and can still hold code: Keras' Lambda layers, TensorFlow graphs, exported Torch programs.
_CODE_SUFFIXES = (".h5", ".hdf5", ".keras", ".pb", ".pt2")
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x04\x22\x4d\x18", b"\x78")
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
_CHUNK_BYTES = 2**16
_LARGE_ARGUMENT_BYTES = 2**16
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
# Width of the length that comes before a sized argument; such arguments are data and are skipped when large.
_SIZED = {
    "BINSTRING": 4,
    "BINBYTES": 4,
    "BINBYTES8": 8,
    "BYTEARRAY8": 8,
    "BINUNICODE": 4,
    "BINUNICODE8": 8,
    "LONG4": 4,
}
_TEXTS = frozenset(
    {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"}
)
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_UNKNOWN = "?"

# Names that the pickles of each framework need; anything else is reported.
ALLOWED_GLOBALS = {
    "python": re.compile(
        r"(builtins|__builtin__)\.(object|set|frozenset|bytearray|complex|slice|range|list|dict|tuple|int|float|bool|str)"
        r"|collections\.(OrderedDict|defaultdict|deque)|copyreg\._reconstructor|copy_reg\._reconstructor|_codecs\.encode"
        r"|datetime\.\w+|decimal\.Decimal|fractions\.Fraction"
    ),
    "numpy": re.compile(
        r"numpy\.(ndarray|dtype|bool_?|u?int\d+|float\d+|complex\d+|str_|bytes_)"
        r"|numpy\.(core|_core)\.(multiarray|numeric)\.(_reconstruct|scalar|_frombuffer)|numpy\.dtypes\.\w+"
        r"|numpy\.random\.(_pickle\.\w+|_mt19937\.\w+|_pcg64\.\w+|mtrand\.\w+)"
    ),
    "scikit-learn": re.compile(r"(sklearn|scipy|joblib\.numpy_pickle|joblib\.numpy_pickle_compat)(\.\w+)+"),
    "torch": re.compile(
        r"torch\.(\w+Storage|Size|device|float\w*|int\w*|uint8|bool|bfloat16)|torch\._utils\.\w+"
        r"|torch\.nn(\.\w+)+|torch\.storage\.\w+|torch\._tensor\.\w+"
    ),
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
class PickleContent:
    """What a pickle names.

    Attributes
    ----------
    names
        Dotted names of everything that loading it looks up.
    complete
        Whether the whole stream could be followed.
    """

    names: tuple[str, ...]
    complete: bool


def scan(archive: PackageArchive) -> ScanReport:
    """Look at every file of a package by its first bytes and its name."""
    findings: list[Finding] = []
    format_class = FormatClass.SAFE
    for name in archive.names:
        messages = _scan_member(archive, name)
        if messages is not None:
            format_class = FormatClass.CODE
            findings += [Finding(name, message) for message in messages]
    return ScanReport(format_class, tuple(findings[:MAX_FINDINGS]))


def list_globals(stream: BinaryIO) -> PickleContent:
    """The names that a pickle looks up, from its opcodes alone."""
    names: dict[str, None] = {}
    follower = _Follower(names)
    try:
        for opcode, argument in _opcodes(stream):
            follower.take(opcode, argument)
            if opcode.name == "STOP":
                return PickleContent(tuple(names), complete=not stream.read(1))
    except (ValueError, EOFError, KeyError, IndexError):
        pass  # raw data or damage: what was seen so far is the answer
    return PickleContent(tuple(names), complete=False)


def unusual_globals(names: Iterable[str]) -> tuple[str, ...]:
    """The names outside of every framework's allow list."""
    return tuple(name for name in names if not any(allowed.fullmatch(name) for allowed in ALLOWED_GLOBALS.values()))


class _Follower:
    """Follows the texts on a pickle's stack, which is all it takes to know the names that are looked up."""

    def __init__(self, names: dict[str, None]) -> None:
        self._names = names
        self._memo: dict[int, str] = {}
        self._recent = [_UNKNOWN, _UNKNOWN]

    def take(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        if opcode.name in _TEXTS:
            self._push(str(argument))
        elif opcode.name in _GETS:
            self._push(self._memo.get(int(str(argument)), _UNKNOWN))
        elif opcode.name in _PUTS:
            self._memo[int(str(argument))] = self._recent[-1]
        elif opcode.name == "MEMOIZE":
            self._memo[len(self._memo)] = self._recent[-1]
        elif opcode.name in ("GLOBAL", "INST"):
            self._found(str(argument).replace(" ", ".", 1))
        elif opcode.name == "STACK_GLOBAL":
            self._found(".".join(self._recent))
        elif opcode.stack_after:
            self._push(_UNKNOWN)

    def _push(self, text: str) -> None:
        self._recent = [self._recent[-1], text]

    def _found(self, name: str) -> None:
        self._names[name] = None
        self._push(_UNKNOWN)


def _opcodes(stream: BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, object]]:
    while byte := stream.read(1):
        opcode = _OPCODES[byte[0]]
        if opcode.name in _SIZED:
            yield opcode, _sized_argument(stream, opcode)
        else:
            yield opcode, opcode.arg.reader(stream) if opcode.arg else None
    raise EOFError


def _sized_argument(stream: BinaryIO, opcode: pickletools.OpcodeInfo) -> object:
    width = _SIZED[opcode.name]
    raw = stream.read(width)
    length = int.from_bytes(raw, "little")
    if length > _LARGE_ARGUMENT_BYTES:
        _skip(stream, length)
        return _UNKNOWN
    assert opcode.arg is not None  # noqa: S101  # sized opcodes have one
    return opcode.arg.reader(io.BytesIO(raw + stream.read(length)))


def _skip(stream: BinaryIO, count: int) -> None:
    while count:
        piece = stream.read(min(count, _CHUNK_BYTES))
        if not piece:
            raise EOFError
        count -= len(piece)


def _scan_member(archive: PackageArchive, name: str) -> list[str] | None:
    """What is unusual in a file that can hold code; None for a file that cannot."""
    head = next(archive.chunks(name), b"")[:16]
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if archive.size(name) > MAX_MEMBER_BYTES and suffix != ".safetensors":
        return ["is too large to be looked into"]
    if head.startswith(b"PK\x03\x04"):
        return _scan_nested(archive, name)
    if head.startswith(b"\x93NUMPY"):
        return _scan_array(_stream(archive, name))
    if _PICKLE_START.match(head):
        return _scan_pickle(_stream(archive, name))
    if suffix in _PICKLE_SUFFIXES:
        compressed = head.startswith(_COMPRESSED)
        return ["is compressed and was not looked into"] if compressed else _scan_pickle(_stream(archive, name))
    return [] if suffix in _CODE_SUFFIXES else None


def _scan_pickle(stream: BinaryIO) -> list[str]:
    content = list_globals(stream)
    messages = [f"looks up {name[:200]}" for name in unusual_globals(content.names)]
    return messages if content.complete else [*messages, "could not be followed to its end"]


def _scan_array(stream: BinaryIO) -> list[str] | None:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        dtype = read_header(stream)[2]
    except ValueError:
        return ["is a damaged array"]
    return ["is an array of pickled objects"] if dtype.hasobject else None


def _scan_nested(archive: PackageArchive, name: str) -> list[str] | None:
    with TemporaryFile() as copy:
        for chunk in archive.chunks(name):
            copy.write(chunk)
        try:
            with zipfile.ZipFile(copy) as nested:
                return _scan_nested_files(nested)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
            return ["is a damaged archive"]


def _scan_nested_files(nested: zipfile.ZipFile) -> list[str] | None:
    entries = [entry for entry in nested.infolist() if not entry.is_dir()]
    if len(entries) > MAX_NESTED_FILES:
        return ["holds too many files to be looked into"]
    answers: list[list[str] | None] = []
    for entry in entries:
        with nested.open(entry) as file:
            stream = io.BufferedReader(_Pieces(_bounded(file)))
            if entry.filename.endswith(".npy"):
                answers.append(_scan_array(stream))
            elif entry.filename.endswith(".pkl"):
                answers.append(_scan_pickle(stream))
            elif "/code/" in entry.filename:
                answers.append([])
    found = [answer for answer in answers if answer is not None]
    return [message for answer in found for message in answer] if found else None


def _stream(archive: PackageArchive, name: str) -> BinaryIO:
    return io.BufferedReader(_Pieces(archive.chunks(name)), _CHUNK_BYTES)


class _Pieces(io.RawIOBase):
    """A readable file made of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # always a memoryview here
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _bounded(file: IO[bytes]) -> Iterator[bytes]:
    left = MAX_MEMBER_BYTES
    while left and (piece := file.read(min(left, _CHUNK_BYTES))):
        left -= len(piece)
        yield piece
