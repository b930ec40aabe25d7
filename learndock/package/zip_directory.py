"""The structure of a zip file: its entries, read twice and compared.

Readers of zip files disagree where the central directory and the local headers do. An archive in which every reader
finds the same members has: local headers equal to the central directory, entries back to back from the first byte,
the central directory right after them, and the end record last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
import stat
import struct
from typing import BinaryIO

from learndock.errors import InvalidInput, Reason

STORED = 0
DEFLATED = 8

_END = struct.Struct("<4s4H2IH")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_MAX_COMMENT = 65_535
_ZIP64 = 0xFFFF_FFFF
_ZIP64_EXTRA = 0x0001
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"

_FLAG_ENCRYPTED = 0x0001
_FLAG_DESCRIPTOR = 0x0008
_FLAG_UTF8 = 0x0800
_FLAGS_ALLOWED = 0x0002 | 0x0004 | _FLAG_DESCRIPTOR | _FLAG_UTF8


@dataclass(frozen=True)
class Entry:
    """A member as the central directory tells it.

    Attributes
    ----------
    raw_name
        Name in the archive's own bytes.
    name
        Decoded name; ends with `/` for a folder.
    flags
        General purpose flags.
    method
        `STORED` or `DEFLATED`.
    crc
        CRC-32 of the content.
    compressed_bytes
        Length in the archive.
    size_bytes
        Declared length of the content.
    header_offset
        Where the local header begins.
    mode
        Unix file mode; 0 where the archiver kept none.
    """

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    compressed_bytes: int
    size_bytes: int
    header_offset: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether the entry is a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True)
class PlacedEntry:
    """An entry and where its compressed content begins."""

    entry: Entry
    data_offset: int


def read_directory(file: BinaryIO, size_bytes: int, max_entries: int) -> tuple[PlacedEntry, ...]:
    """All entries of an archive whose structure leaves no doubt.

    Parameters
    ----------
    file
        The archive, seekable.
    size_bytes
        Its length.
    max_entries
        How many entries it may have.

    Raises
    ------
    InvalidInput
        PACKAGE_INVALID: the file is no zip, is damaged, or can be read in more than one way.
    """
    directory_offset, directory_bytes, count = _read_end(file, size_bytes)
    if count > max_entries:
        raise invalid(f"The archive has {count} entries; at most {max_entries} are taken.")
    file.seek(directory_offset)
    entries = tuple(_read_central(file.read(directory_bytes), count))
    return tuple(_place(file, entries, directory_offset))


def invalid(message: str) -> InvalidInput:
    """The error for an archive that breaks a rule."""
    return InvalidInput(Reason.PACKAGE_INVALID, message, field="package")


def _read_end(file: BinaryIO, size_bytes: int) -> tuple[int, int, int]:
    tail_bytes = min(size_bytes, _END.size + _MAX_COMMENT)
    file.seek(size_bytes - tail_bytes)
    tail = file.read(tail_bytes)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise invalid("The file is not a zip archive, or its end is missing.")
    _, disk, first_disk, count_here, count, length, offset, comment_bytes = _END.unpack_from(tail, at)
    if at + _END.size + comment_bytes != len(tail):
        raise invalid("There is data after the end of the archive.")
    if disk or first_disk or count_here != count:
        raise invalid("The archive is split over several files.")
    if _ZIP64 in (length, offset) or offset + length != size_bytes - tail_bytes + at:
        raise invalid("The central directory is not where the archive's end says.")
    return offset, length, count


def _read_central(directory: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if len(directory) - at < _CENTRAL.size or not directory.startswith(b"PK\x01\x02", at):
            raise invalid("The central directory is damaged.")
        fields = _CENTRAL.unpack_from(directory, at)
        name_bytes, extra_bytes, comment_bytes = fields[10:13]
        name_at = at + _CENTRAL.size
        at = name_at + name_bytes + extra_bytes + comment_bytes
        if at > len(directory):
            raise invalid("The central directory is damaged.")
        yield _entry(fields, directory[name_at : name_at + name_bytes])
    if at != len(directory):
        raise invalid("The central directory holds more than its entries.")


def _entry(fields: tuple[int, ...], raw_name: bytes) -> Entry:
    flags, method = fields[3], fields[4]
    crc, compressed_bytes, size_bytes = fields[7:10]
    disk, attributes, offset = fields[13], fields[15], fields[16]
    entry = Entry(
        raw_name=raw_name,
        name=_decoded(raw_name, flags),
        flags=flags,
        method=method,
        crc=crc,
        compressed_bytes=compressed_bytes,
        size_bytes=size_bytes,
        header_offset=offset,
        mode=attributes >> 16,
    )
    if disk or _ZIP64 in (compressed_bytes, size_bytes, offset):
        raise invalid(f"{entry.name!r} is larger than a package may be, or lies in another file.")
    _check_kind(entry)
    return entry


def _decoded(raw_name: bytes, flags: int) -> str:
    try:
        return raw_name.decode("utf-8" if flags & _FLAG_UTF8 else "cp437")
    except UnicodeDecodeError:
        raise invalid(f"The name {raw_name!r} is not UTF-8.") from None


def _check_kind(entry: Entry) -> None:
    if entry.flags & _FLAG_ENCRYPTED:
        raise invalid(f"{entry.name!r} is encrypted.")
    if entry.flags & ~_FLAGS_ALLOWED:
        raise invalid(f"{entry.name!r} uses features of zip that are not supported.")
    if entry.method not in (STORED, DEFLATED):
        raise invalid(f"{entry.name!r} is compressed by method {entry.method}; only deflate is taken.")
    kind = stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFDIR if entry.is_folder else stat.S_IFREG):
        raise invalid(f"{entry.name!r} is a link or a special file.")
    if entry.is_folder and entry.size_bytes:
        raise invalid(f"The folder {entry.name!r} has content.")
    if entry.method == STORED and entry.compressed_bytes != entry.size_bytes:
        raise invalid(f"The lengths of {entry.name!r} disagree.")


def _place(file: BinaryIO, entries: tuple[Entry, ...], directory_offset: int) -> Iterator[PlacedEntry]:
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    starts = [*(entry.header_offset for entry in ordered), directory_offset]
    if starts[0] != 0:
        raise invalid("There is data before the first entry.")
    for entry, (_, following) in zip(ordered, pairwise(starts), strict=True):
        data_offset = _check_local(file, entry)
        _check_gap(file, entry, data_offset + entry.compressed_bytes, following)
        yield PlacedEntry(entry, data_offset)


def _check_local(file: BinaryIO, entry: Entry) -> int:
    file.seek(entry.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) != _LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise invalid(f"The local header of {entry.name!r} is missing.")
    _, _, flags, method, _, _, crc, compressed, size, name_bytes, extra_bytes = _LOCAL.unpack(header)
    name = file.read(name_bytes)
    extra = file.read(extra_bytes)
    if (name, flags, method) != (entry.raw_name, entry.flags, entry.method):
        raise invalid(f"The local header of {entry.name!r} differs from the central directory.")
    if _ZIP64 in (compressed, size):
        size, compressed = _zip64_sizes(extra, entry)
    told = (entry.crc, entry.compressed_bytes, entry.size_bytes)
    later = bool(flags & _FLAG_DESCRIPTOR) and (crc, compressed, size) == (0, 0, 0)
    if (crc, compressed, size) != told and not later:
        raise invalid(f"The local header of {entry.name!r} differs from the central directory.")
    return entry.header_offset + _LOCAL.size + len(name) + len(extra)


def _zip64_sizes(extra: bytes, entry: Entry) -> tuple[int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64_EXTRA and length >= 16 and at + 20 <= len(extra):
            size, compressed = struct.unpack_from("<2Q", extra, at + 4)
            return size, compressed
        at += 4 + length
    raise invalid(f"The local header of {entry.name!r} is damaged.")


def _check_gap(file: BinaryIO, entry: Entry, end: int, following: int) -> None:
    gap = following - end
    if gap < 0:
        raise invalid(f"{entry.name!r} overlaps another entry.")
    if gap == 0:
        return
    file.seek(end)
    if not entry.flags & _FLAG_DESCRIPTOR or file.read(min(gap, 32)) not in _descriptors(entry):
        raise invalid(f"There is data between {entry.name!r} and the next entry.")


def _descriptors(entry: Entry) -> set[bytes]:
    told = entry.crc, entry.compressed_bytes, entry.size_bytes
    plain = {struct.pack("<3I", *told), struct.pack("<I2Q", *told)}
    return plain | {_DESCRIPTOR_SIGNATURE + descriptor for descriptor in plain}
