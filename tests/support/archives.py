"""Archives that are refused: each kind by name, with a word of the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
import io
from itertools import chain
import stat
import struct
import warnings
import zipfile

Builder = Callable[[], bytes]
Kind = tuple[str, str, Builder]

FILES = {
    "__init__.py": b"class Model: pass\n",
    "learnware.yaml": b"model: {}\n",
    "weights/w.bin": bytes(range(256)) * 8,
}
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    return entries(*((zipfile.ZipInfo(name), data) for name, data in files.items()), method=method)


def entries(*members: tuple[zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # of duplicate names, which are meant
        for entry, data in members:
            archive.writestr(entry, data, method)
    return buffer.getvalue()


def patched(data: bytes, signature: bytes, offset: int, value: bytes, *, last: bool = False) -> bytes:
    at = (data.rindex(signature) if last else data.index(signature)) + offset
    return data[:at] + value + data[at + len(value) :]


def both(central: int, local: int, value: bytes) -> bytes:
    """The first entry with other bytes in the directory and in its local header."""
    return patched(patched(zipped(FILES), CENTRAL, central, value), LOCAL, local, value)


def central(offset: int, value: bytes, *, last: bool = False) -> bytes:
    return patched(zipped(FILES), CENTRAL, offset, value, last=last)


def local(offset: int, value: bytes) -> bytes:
    return patched(zipped(FILES), LOCAL, offset, value)


def end(offset: int, value: bytes) -> bytes:
    return patched(zipped(FILES), END, offset, value)


def named(*names: str) -> bytes:
    members = []
    for name in names:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        members.append((entry, b"x"))
    return entries(*members)


def special(kind: int) -> bytes:
    entry = zipfile.ZipInfo("special")
    entry.external_attr = (kind | 0o777) << 16
    return entries((entry, b"/etc/passwd"))


def _broken() -> Iterator[Kind]:
    whole = zipped(FILES)
    yield "empty file", "not a zip", lambda: b""
    yield "no archive", "not a zip", lambda: b"not a zip at all"
    yield "other format: gzip", "not a zip", lambda: b"\x1f\x8b\x08" + bytes(200)
    yield "other format: tar", "not a zip", lambda: bytes(1024)
    yield "empty archive cut off", "not a zip", lambda: END + bytes(10)
    yield "last byte missing", "end is missing", lambda: whole[:-1]
    yield "second half missing", "end is missing", lambda: whole[: len(whole) // 2]
    yield "first half missing", "not where", lambda: whole[len(whole) // 2 :]
    yield "data after the end", "data after the end", lambda: whole + b"x"
    yield "data before the start", "not where", lambda: b"#!/bin/sh\n" + whole
    yield "two archives in one", "not where", lambda: whole + whole


def _features() -> Iterator[Kind]:
    yield "encrypted in the directory", "encrypted", lambda: central(8, b"\x01\x00")
    yield "encrypted", "encrypted", lambda: both(8, 6, b"\x01\x00")
    yield "patched data", "features of zip", lambda: both(8, 6, b"\x20\x00")
    yield "strong encryption", "encrypted", lambda: both(8, 6, b"\x41\x00")
    yield "masked headers", "features of zip", lambda: both(8, 6, b"\x00\x20")
    yield "method: bzip2", "method 12", lambda: zipped(FILES, zipfile.ZIP_BZIP2)
    yield "method: lzma", "method 14", lambda: zipped(FILES, zipfile.ZIP_LZMA)
    yield "method: deflate64", "method 9", lambda: both(10, 8, b"\x09\x00")
    yield "method: implode", "method 6", lambda: both(10, 8, b"\x06\x00")
    yield "method: unknown", "method 32767", lambda: both(10, 8, b"\xff\x7f")
    yield "local method differs", "differs from the central", lambda: local(8, b"\x00\x00")
    yield "local name differs", "differs from the central", lambda: local(30, b"__Init__.py")
    yield "local name of another length", "differs from the central", lambda: local(26, b"\x05\x00")
    yield "local signature wrong", "local header", lambda: local(0, b"PK\x03\x05")
    yield "directory signature wrong", "directory is damaged", lambda: central(0, b"PK\x01\x03")
    yield "directory checksum wrong", "differs from the central", lambda: central(16, b"\xde\xad\xbe\xef")
    yield "checksum wrong", "checksum", lambda: both(16, 14, b"\xde\xad\xbe\xef")
    yield "declared too short", "length or checksum", lambda: both(24, 22, b"\x01\x00\x00\x00")
    yield "declared too long", "length or checksum", lambda: both(24, 22, b"\xff\x00\x00\x00")
    yield "compressed length too long", "overlaps", lambda: both(20, 18, b"\xff\xff\xff\x7f")
    yield "compressed length zero", "data between", lambda: both(20, 18, b"\x00\x00\x00\x00")
    yield "entries overlap", "overlaps", lambda: central(42, struct.pack("<I", 0), last=True)
    yield "entry at no header", "before the first entry", lambda: central(42, struct.pack("<I", 7))
    yield "entry beyond the end", "before the first entry", lambda: central(42, struct.pack("<I", 2**31))


def _counts() -> Iterator[Kind]:
    yield "entry on another disk", "another file", lambda: central(34, b"\x01\x00")
    yield "archive of several disks", "several files", lambda: end(4, b"\x01\x00")
    yield "entries on this disk differ", "several files", lambda: end(8, b"\x01\x00")
    yield "fewer entries than told", "directory is damaged", lambda: end(8, b"\x07\x00\x07\x00")
    yield "more entries than told", "more than its entries", lambda: end(8, b"\x02\x00\x02\x00")
    yield "directory too long", "not where", lambda: end(12, b"\xff\xff\xff\xff")
    yield "directory at the start", "not where", lambda: end(16, b"\x00\x00\x00\x00")
    yield "directory beyond the end", "not where", lambda: end(16, b"\x00\x00\x00\x7f")
    yield "comment longer than the file", "data after the end", lambda: end(20, b"\x05\x00")


def _names() -> Iterator[Kind]:
    yield "name with ..", "plain relative path", lambda: named("../evil.py")
    yield "name with .. inside", "plain relative path", lambda: named("a/../../evil.py")
    yield "absolute name", "plain relative path", lambda: named("/etc/passwd")
    yield "empty part of a name", "plain relative path", lambda: named("a//b")
    yield "dot as part of a name", "plain relative path", lambda: named("./a")
    yield "drive letter", "plain relative path", lambda: named("C:/evil")
    yield "backslash", "plain relative path", lambda: named("a\\b")
    yield "line break in a name", "control character", lambda: named("line\nbreak")
    yield "control character in a name", "control character", lambda: named("bell\x07")
    yield "reversed writing in a name", "control character", lambda: named("reversed\u202egpj.py")
    yield "name too long", "too long or too deep", lambda: named("x" * 256)
    yield "name too deep", "too long or too deep", lambda: named("/".join("abcdefghijklmnopq"))
    yield "the same name twice", "same name", lambda: named("a", "a")
    yield "names alike but for case", "only in case or accents", lambda: named("a.py", "A.py")
    yield "folders alike but for case", "only in case or accents", lambda: named("dir/x", "DIR/y")
    yield "file and folder of one name", "both a file and a folder", lambda: named("a", "a/b")
    yield "names alike but for composition", "only in case or accents", lambda: named("caf\u00e9", "cafe\u0301")
    yield "names alike but for ligature", "only in case or accents", lambda: named("\ufb01", "fi")


def _contents() -> Iterator[Kind]:
    yield "symbolic link", "special file", lambda: special(stat.S_IFLNK)
    yield "named pipe", "special file", lambda: special(stat.S_IFIFO)
    yield "character device", "special file", lambda: special(stat.S_IFCHR)
    yield "block device", "special file", lambda: special(stat.S_IFBLK)
    yield "socket", "special file", lambda: special(stat.S_IFSOCK)
    yield "folder that holds bytes", "special file", lambda: special(stat.S_IFDIR)
    yield "decompression bomb", "100 to 1", lambda: zipped({"bomb": bytes(2**26)})
    yield (
        "bomb that declares less",
        "length or checksum",
        lambda: patched(
            patched(zipped({"bomb": bytes(2**26)}), CENTRAL, 24, struct.pack("<I", 2**20)),
            LOCAL,
            22,
            struct.pack("<I", 2**20),
        ),
    )
    yield (
        "too many entries",
        "10001 entries",
        lambda: zipped({str(number): b"" for number in range(10_001)}, zipfile.ZIP_STORED),
    )
    yield (
        "unpacked too large",
        "unpacked",
        lambda: patched(
            patched(zipped(FILES), CENTRAL, 24, struct.pack("<I", 2**32 - 2)), LOCAL, 22, struct.pack("<I", 2**32 - 2)
        ),
    )


REFUSED: Mapping[str, tuple[str, Builder]] = {
    name: (word, build) for name, word, build in chain(_broken(), _features(), _counts(), _names(), _contents())
}
"""Archives by what is wrong with them, each with a part of the message that says so."""
