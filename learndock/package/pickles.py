"""What pickles would look up when they are loaded: their opcodes are followed, never executed.

The answer is advice. Isolation is what protects the dock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import io
import pickletools
import re
from typing import BinaryIO

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
_EXTENSIONS = frozenset({"EXT1", "EXT2", "EXT4"})
_UNKNOWN, _MARK = "?", "("
_PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_ARRAY_WRAPPERS = ("joblib.numpy_pickle.NumpyArrayWrapper", "joblib.numpy_pickle.NDArrayWrapper")
_TEXT, _NAME = rb"(?:\x8c.|[XU].{0,4}?)", rb"([A-Za-z_][\w.]{0,200})"
_KEPT = rb"(?:\x94|q.|r.{4})?"
_REFERENCES = (
    re.compile(rb"[ci]" + _NAME + rb"\n" + _NAME + rb"\n"),
    re.compile(_TEXT + _NAME + _KEPT + _TEXT + _NAME + _KEPT + rb"\x93", re.DOTALL),
)
_LONGEST_REFERENCE = 512

_CLASS = r"_{0,2}[A-Z]\w*"
# Names that the pickles of each framework need; anything else is reported. Functions are listed one by one: whole
# modules would let through what they import themselves.
ALLOWED_GLOBALS = {
    "python": re.compile(
        r"(builtins|__builtin__)\.(object|set|frozenset|bytearray|complex|slice|range|list|dict|tuple|int|float|bool|str|bytes)"
        r"|collections\.(OrderedDict|defaultdict|deque)|copyreg\._reconstructor|copy_reg\._reconstructor|_codecs\.encode"
        r"|datetime\.(date|time|datetime|timedelta|timezone)|decimal\.Decimal|fractions\.Fraction"
    ),
    "numpy": re.compile(
        r"numpy\.(ndarray|dtype|bool_?|u?int\d+|float\d+|complex\d+|str_|bytes_)"
        r"|numpy\.(core|_core)\.(multiarray|numeric)\.(_reconstruct|scalar|_frombuffer)"
        r"|numpy\.(ma\.core\.(_mareconstruct|MaskedArray)|matrixlib\.defmatrix\.matrix)"
        rf"|numpy\.dtypes\.{_CLASS}|numpy\.random\._pickle\.__\w+_ctor"
        rf"|numpy\.random\.(_mt19937|_pcg64|_philox|_sfc64|mtrand|bit_generator)\.(__pyx_unpickle_)?{_CLASS}"
    ),
    "scikit-learn": re.compile(
        rf"sklearn(\.\w+)+\.({_CLASS}|__pyx_unpickle_\w+|newObj)"
        rf"|scipy(?!\._lib\b)(\.\w+)+\.{_CLASS}|scipy\.sparse(\.\w+)*\.(cs[rc]|coo|bsr|dia|dok|lil)_(matrix|array)"
        r"|scipy\.stats(\.\w+)*\.(\w+_gen|rv_\w+)"
        rf"|joblib\.numpy_pickle(_compat)?\.{_CLASS}"
    ),
    "torch": re.compile(
        r"torch\.(\w+Storage|Size|device|float\w*|int\w*|uint8|bool|bfloat16)|torch\._utils\._rebuild_\w+"
        rf"|torch\.nn(\.\w+)*\.{_CLASS}|torch\.storage\.{_CLASS}|torch\._tensor\._rebuild_\w+"
        rf"|torch\.jit\._pickle\.\w+|__torch__(\.\w+)+|torch\.optim(\.\w+)*\.{_CLASS}|torch\.serialization\.{_CLASS}"
    ),
}


@dataclass(frozen=True)
class PickleContent:
    """What a pickle names.

    Attributes
    ----------
    names
        Dotted names of everything that loading it looks up; `module:name` where the name itself has dots, which leads
        to whatever the module has imported.
    complete
        Whether the whole stream could be followed; raw arrays, which joblib and Torch put between or after pickles,
        are searched for references instead.
    ended
        Whether a pickle came to its end.
    """

    names: tuple[str, ...]
    complete: bool
    ended: bool


def list_globals(stream: BinaryIO) -> PickleContent:
    """The names that a file of pickles looks up, from opcodes alone."""
    machine = _Machine()
    buffered = io.BufferedReader(stream, _CHUNK_BYTES) if isinstance(stream, io.RawIOBase) else stream
    ended = machine.follow(buffered)
    rest = buffered.read(2)
    still = ended
    while still and _PICKLE_START.match(rest):
        buffered = io.BufferedReader(Pieces(_joined(rest, buffered)), _CHUNK_BYTES)
        still = machine.follow(buffered)
        rest = buffered.read(2)
    for name in _references(_joined(rest, buffered)) if rest or not still else ():
        machine.names[name] = None
    is_expected = machine.is_torch or any(name in machine.names for name in _ARRAY_WRAPPERS)
    return PickleContent(tuple(machine.names), complete=(still and not rest) or is_expected, ended=ended)


def names_of_one(stream: BinaryIO) -> tuple[str, ...]:
    """The names that the first pickle of a stream looks up; none where it is no pickle that comes to an end."""
    machine = _Machine()
    return tuple(machine.names) if machine.follow(stream) else ()


def unusual_globals(names: Iterable[str]) -> tuple[str, ...]:
    """The names outside of every framework's allow list."""
    return tuple(name for name in names if not any(allowed.fullmatch(name) for allowed in ALLOWED_GLOBALS.values()))


class Pieces(io.RawIOBase):
    """A readable file made of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # always a memoryview here
        """Fill `buffer` with what comes next; returns how much that is."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class _Machine:
    """Follows the texts on a pickle's stack, which is all it takes to know the names that are looked up."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.is_torch = False
        self._memo: dict[int, str] = {}
        self._stack: list[str] = []

    def follow(self, stream: BinaryIO) -> bool:
        """Whether the pickle at the beginning of `stream` came to its end."""
        self._memo, self._stack = {}, []
        try:
            for opcode, argument in _opcodes(stream):
                if opcode.name == "STOP":
                    return True
                self._take(opcode, argument)
        except (ValueError, EOFError, LookupError, OverflowError):
            pass  # raw data or damage: what was seen so far is the answer
        return False

    def _take(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        name = opcode.name
        self.is_torch |= argument == _TORCH_MAGIC and type(argument) is int
        if name in _PUTS:
            self._memo[int(str(argument))] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        elif name == "STACK_GLOBAL":
            attribute, module = self._stack.pop(), self._stack.pop()
            self._found(module, attribute)
        else:
            self._drop(opcode)
            self._push(opcode, argument)

    def _drop(self, opcode: pickletools.OpcodeInfo) -> None:
        if pickletools.markobject not in opcode.stack_before:
            for _ in opcode.stack_before:
                self._stack.pop()
            return
        while self._stack.pop() != _MARK:
            pass
        for _ in opcode.stack_before[: opcode.stack_before.index(pickletools.markobject)]:
            self._stack.pop()

    def _push(self, opcode: pickletools.OpcodeInfo, argument: object) -> None:
        name = opcode.name
        if name in ("GLOBAL", "INST"):
            module, _, attribute = str(argument).partition(" ")
            self._found(module, attribute)
        elif name in _TEXTS:
            self._stack.append(str(argument) or _UNKNOWN)
        elif name in _GETS:
            self._stack.append(self._memo.get(int(str(argument)), _UNKNOWN))
        elif name in _EXTENSIONS:
            self._found("copyreg", f"extension {argument}")
        else:
            self._stack += [_MARK if kind is pickletools.markobject else _UNKNOWN for kind in opcode.stack_after]

    def _found(self, module: str, attribute: str) -> None:
        self.names[f"{module}{':' if '.' in attribute else '.'}{attribute}"] = None
        self._stack.append(_UNKNOWN)


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


def _joined(first: bytes, rest: BinaryIO) -> Iterator[bytes]:
    if first:
        yield first
    while piece := rest.read(_CHUNK_BYTES):
        yield piece


def _references(pieces: Iterator[bytes]) -> Iterator[str]:
    """Names that raw data would look up, were it taken for opcodes."""
    overlap = b""
    for piece in pieces:
        window = overlap + piece
        for pattern in _REFERENCES:
            for module, attribute in pattern.findall(window):
                yield f"{module.decode()}{':' if b'.' in attribute else '.'}{attribute.decode()}"
        overlap = window[-_LONGEST_REFERENCE:]
