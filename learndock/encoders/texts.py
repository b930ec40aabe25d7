"""Texts as owners have them: lists of strings, files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from learndock.encoders.encoder import Items
from learndock.errors import InvalidInput, Reason


@dataclass(frozen=True)
class Texts:
    """Texts, none of them empty.

    Attributes
    ----------
    values
        The texts, in order.

    Raises
    ------
    InvalidInput
        There is none, or one is empty; the error names the first position.
    """

    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise InvalidInput(Reason.FIELD_INVALID, "There are no texts.", field="items")
        empty = [position for position, text in enumerate(self.values) if not text.strip()]
        if empty:
            raise InvalidInput(
                Reason.FIELD_INVALID,
                f"{len(empty)} of {len(self.values)} texts are empty, the first at position {empty[0]};"
                " leave them out, since nothing can be said of them.",
                field="items",
            )

    @classmethod
    def of(cls, items: Items | Texts, *, file_encoding: str = "utf-8-sig") -> Texts:
        """Texts of a list of strings, of a file with one text a line, or of a folder of .txt files, one text each.

        Blank lines of a file are passed over. Folders are walked to their depths in the order of names; hidden files
        are passed over.

        Parameters
        ----------
        items
            Strings, or a path. A `str` is a path; a single text goes into a list.
        file_encoding
            How files are encoded; UTF-8 with or without a byte order mark by default.

        Raises
        ------
        InvalidInput
            Nothing is there, an item is no string, a file is encoded otherwise, or a text is empty.
        """
        if isinstance(items, Texts):
            return items
        if isinstance(items, str | PathLike):
            return cls(_at(Path(items), file_encoding))
        values = tuple(items)
        for position, text in enumerate(values):
            if not isinstance(text, str):
                raise InvalidInput(
                    Reason.FIELD_INVALID, f"Item {position} is {type(text).__name__}, not a text.", field="items"
                )
        return cls(tuple(str(text) for text in values))

    def __len__(self) -> int:
        return len(self.values)


def _at(path: Path, file_encoding: str) -> tuple[str, ...]:
    if path.is_dir():
        return tuple(_read(file, file_encoding) for file in _text_files(path))
    if not path.is_file():
        raise InvalidInput(
            Reason.FIELD_INVALID, f"There is no file or folder {path}; a single text goes into a list.", field="items"
        )
    return tuple(line for line in _read(path, file_encoding).splitlines() if line.strip())


def _text_files(folder: Path) -> Sequence[Path]:
    found = sorted(file.relative_to(folder) for file in folder.rglob("*.txt") if file.is_file())
    files = [folder / file for file in found if not any(part.startswith(".") for part in file.parts)]
    if not files:
        raise InvalidInput(Reason.FIELD_INVALID, f"There is no .txt file in {folder}.", field="items")
    return files


def _read(file: Path, file_encoding: str) -> str:
    try:
        return file.read_text(encoding=file_encoding)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"{file} is not {error.encoding} at byte {error.start}; name the file's encoding.",
            field="items",
        ) from error
    except LookupError as error:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"There is no encoding {file_encoding}.", field="file_encoding"
        ) from error
