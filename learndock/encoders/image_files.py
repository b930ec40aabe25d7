"""Image files on the owner's disk, and PIL images, as arrays of pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import NDArray

from learndock.errors import InvalidInput, Reason
from learndock.extras import module_of

if TYPE_CHECKING:
    from PIL.Image import Image

EXTRA = "images"
SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

_DEEP_GREY = ("I", "I;16", "I;16B", "I;16L", "F")


def find(path: Path) -> tuple[Path, ...]:
    """The image file at a path, or all in a folder and below, in the order of their names.

    Files that are hidden or bear no suffix of an image are passed over.

    Raises
    ------
    InvalidInput
        Nothing is there, or no image.
    """
    if path.is_dir():
        found = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        shown = [file for file in found if not any(part.startswith(".") for part in file.parts)]
        files = tuple(path / file for file in sorted(shown) if file.suffix.lower() in SUFFIXES)
    else:
        files = (path,) if path.is_file() else ()
    if not files:
        raise InvalidInput(Reason.FIELD_INVALID, f"There is no image at {path}.", field="items")
    return files


def read(file: Path) -> NDArray[np.generic]:
    """Pixels [H, W] or [H, W, 3] of an image file, upright; of an animation its first picture.

    Raises
    ------
    InvalidInput
        The file cannot be read as an image; the error names it.
    FailedPrecondition
        Pillow is not installed.
    """
    pil, operations = module_of(EXTRA, "PIL.Image"), module_of(EXTRA, "PIL.ImageOps")
    try:
        with pil.open(file) as image:
            return pixels_of(operations.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, pil.DecompressionBombError) as error:
        raise InvalidInput(
            Reason.FIELD_INVALID, f"{file} cannot be read as an image: {error}", field="items"
        ) from error


def is_pil_image(item: object) -> TypeGuard[Image]:
    """Whether an item is a PIL image, told without importing PIL."""
    return any(f"{base.__module__}.{base.__qualname__}" == "PIL.Image.Image" for base in type(item).__mro__)


def pixels_of(image: Image) -> NDArray[np.generic]:
    """Pixels of a PIL image: grey [H, W], all digits kept, or RGB [H, W, 3]; transparency is dropped."""
    if image.mode in _DEEP_GREY:
        return np.asarray(image)
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB"))
