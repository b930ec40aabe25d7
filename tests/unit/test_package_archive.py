"""Archives that break a rule of safety are refused; all others read back as they were written."""

from __future__ import annotations

import io
from pathlib import Path
import struct
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from learndock.errors import InvalidInput, Reason, ResourceExhausted
from learndock.package.archive import ArchiveLimits, PackageArchive

FILES = {
    "__init__.py": b"class Model: pass\n",
    "learnware.yaml": b"model: {}\n",
    "weights/w.bin": bytes(range(256)) * 8,
}
LIMITS = ArchiveLimits()
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def read_all(path: Path, limits: ArchiveLimits = LIMITS) -> dict[str, bytes]:
    with PackageArchive.open(path, limits) as archive:
        return {name: archive.read(name, 2**20) for name in archive.names}


def refused(tmp_path: Path, data: bytes, limits: ArchiveLimits = LIMITS) -> str:
    path = tmp_path / "package.zip"
    path.write_bytes(data)
    with pytest.raises(InvalidInput) as caught:
        read_all(path, limits)
    assert caught.value.reason is Reason.PACKAGE_INVALID
    assert caught.value.field == "package"
    return caught.value.message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_read_back(tmp_path: Path, method: int) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(zipped(FILES, method))
    assert read_all(path) == FILES


def test_one_top_folder_is_stripped_with_or_without_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    for extra in ({}, {"top/": b""}, {"__MACOSX/top/._x": b"finder"}):
        path.write_bytes(zipped({**extra, **{f"top/{name}": data for name, data in FILES.items()}}))
        assert read_all(path) == FILES


def test_a_file_at_the_top_keeps_folders(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(zipped({"learnware.yaml": b"", "top/x": b"x"}))
    assert set(read_all(path)) == {"learnware.yaml", "top/x"}


def test_streamed_archives_with_data_descriptors_are_taken(tmp_path: Path) -> None:
    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    buffer = Unseekable()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    path = tmp_path / "package.zip"
    path.write_bytes(buffer.getvalue())
    assert read_all(path) == FILES


def test_zip64_local_headers_are_taken_when_they_agree(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(b"content")
    assert read_all(path) == {"a": b"content"}


def test_archive_comments_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"content")
        archive.comment = b"0123456789abcdef"
    assert read_all(path) == {"a": b"content"}


def test_extract_writes_every_file(tmp_path: Path) -> None:
    path, target = tmp_path / "package.zip", tmp_path / "out"
    path.write_bytes(zipped(FILES))
    target.mkdir()
    with PackageArchive.open(path) as archive:
        archive.extract(target)
    assert {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*") if p.is_file()} == FILES


def test_hidden_data_between_entries_is_refused(tmp_path: Path) -> None:
    data = zipped(FILES)
    second = data.index(LOCAL, 4)
    hidden = b"hidden"
    moved = data[:second] + hidden + data[second:]
    shifted = _with_shifted_offsets(moved, second, len(hidden))
    assert "between" in refused(tmp_path, shifted)


def _with_shifted_offsets(data: bytes, beyond: int, shift: int) -> bytes:
    at = data.index(CENTRAL)
    while data.startswith(CENTRAL, at):
        offset = struct.unpack_from("<I", data, at + 42)[0]
        if offset >= beyond:
            data = data[: at + 42] + struct.pack("<I", offset + shift) + data[at + 46 :]
        at += 46 + sum(struct.unpack_from("<3H", data, at + 28))
    return data[: at + 16] + struct.pack("<I", struct.unpack_from("<I", data, at + 16)[0] + shift) + data[at + 20 :]


def test_limits_hold(tmp_path: Path) -> None:
    assert "entries" in refused(tmp_path, zipped({str(i): b"" for i in range(4)}), ArchiveLimits(max_entries=3))
    assert "unpacked" in refused(tmp_path, zipped({"a": bytes(100)}), ArchiveLimits(max_unpacked_bytes=99))
    assert "100 to 1" in refused(tmp_path, zipped({"bomb": bytes(2**21)}))


def test_archives_that_are_too_large_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(zipped(FILES))
    with pytest.raises(ResourceExhausted) as caught:
        PackageArchive.open(path, ArchiveLimits(max_bytes=10))
    assert caught.value.reason is Reason.PACKAGE_TOO_LARGE


def test_reading_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(zipped(FILES))
    with PackageArchive.open(path) as archive:
        with pytest.raises(InvalidInput):
            archive.read("weights/w.bin", 100)
        with pytest.raises(InvalidInput):
            archive.read("missing", 100)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    original = zipped({"a.py": b"alpha" * 20, "b/c.bin": bytes(range(64))})
    at = data.draw(st.integers(0, len(original) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = original[:at] + bytes([original[at] ^ 1 << bit]) + original[at + 1 :]
    path = tmp_path_factory.mktemp("flip") / "package.zip"
    path.write_bytes(flipped)
    try:
        found = read_all(path)
    except InvalidInput:
        return
    assert found == {"a.py": b"alpha" * 20, "b/c.bin": bytes(range(64))}
