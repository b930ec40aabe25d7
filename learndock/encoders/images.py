"""Images as owners have them: arrays, PIL images, files and folders."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learndock.encoders import image_files
from learndock.encoders.encoder import Items
from learndock.encoders.pixels import Layout, Pixels, layout_of, to_pixels
from learndock.errors import InvalidInput, Reason


@dataclass(frozen=True, eq=False)
class Images:
    """Images that are read when their pixels are wanted.

    Attributes
    ----------
    source
        An array of images, or a list of single ones: arrays, PIL images and paths of files, of any sizes.
    layout
        Where the channels are in arrays; None tells it from their shapes, see `layout_of`.
    """

    source: NDArray[np.generic] | tuple[object, ...]
    layout: Layout | None = None

    @classmethod
    def of(cls, items: Items | Images, *, layout: Layout | None = None) -> Images:
        """Images of an array, a tensor, a list, or the path of an image, of a folder of images or of a .npy file.

        Raises
        ------
        InvalidInput
            There is none, or they are none of these.
        """
        if isinstance(items, Images):
            return items
        if isinstance(items, str | PathLike):
            return cls(_at(Path(items)), layout)
        if image_files.is_pil_image(items):
            return cls((items,), layout)
        source = tuple(items) if isinstance(items, list | tuple) else np.asarray(items)
        if isinstance(source, np.ndarray) and layout is None:
            layout = layout_of(source.shape)
        if not len(source):
            raise InvalidInput(Reason.FIELD_INVALID, "There are no images.", field="items")
        return cls(source, layout)

    def __len__(self) -> int:
        return len(self.source)

    def pixels(self, part: slice) -> Pixels:
        """Pictures of some of the images, float32 [b, 3, 32, 32].

        Raises
        ------
        InvalidInput
            One is no image; the error names its position or its file.
        """
        if isinstance(self.source, np.ndarray):
            return to_pixels(self.source[part], self.layout or layout_of(self.source.shape))
        positions = range(len(self.source))[part]
        return np.concatenate([self._single(position) for position in positions])

    def _single(self, position: int) -> Pixels:
        try:
            image = _loaded(self.source[position])[None]
            layout = Layout.GREY if image.ndim == 3 else self.layout
            return to_pixels(image, layout or layout_of(image.shape))
        except InvalidInput as error:
            raise InvalidInput(error.reason, f"Image {position}: {error.message}", field=error.field) from error


def _at(path: Path) -> NDArray[np.generic] | tuple[object, ...]:
    if path.suffix.lower() != ".npy":
        return image_files.find(path)
    try:
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InvalidInput(Reason.FIELD_INVALID, f"{path} holds no array: {error}", field="items") from error
    return array


def _loaded(item: object) -> NDArray[np.generic]:
    """Pixels [H, W], [H, W, C] or [C, H, W] of one image."""
    if isinstance(item, str | PathLike):
        return image_files.read(Path(item))
    if image_files.is_pil_image(item):
        return image_files.pixels_of(item)
    return np.asarray(item)
