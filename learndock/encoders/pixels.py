"""One way to look at any image: RGB, 32 x 32, its own contrast taken out."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
import torch

from learndock.errors import InvalidInput, Reason

Pixels = NDArray[np.float32]
"""Pictures, float32 [n, 3, SIDE, SIDE]."""

SIDE = 32

_MOST_COLOURS = 4  # red, green, blue and transparency
_RGB = 3
# A spread below this share of the mean is rounding of a flat image, not a picture.
_FLAT = 1e-5


class Layout(StrEnum):
    """Which axis of an image array holds the channels."""

    GREY = "GREY"
    """None: [n, H, W]."""
    CHANNELS_LAST = "CHANNELS_LAST"
    """[n, H, W, C]."""
    CHANNELS_FIRST = "CHANNELS_FIRST"
    """[n, C, H, W]."""


def layout_of(shape: tuple[int, ...]) -> Layout:
    """Layout of an array of images, told from its shape.

    Three axes are grey images. Of four, the channels are the second or the last, whichever alone has one to four
    entries.

    Raises
    ------
    InvalidInput
        Neither three nor four axes, or both axes could hold the channels, or none.
    """
    if len(shape) == 3:
        return Layout.GREY
    if len(shape) != 4:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Images must be [n, H, W], [n, H, W, C] or [n, C, H, W], not {list(shape)}.",
            field="items",
        )
    first, last = (1 <= shape[axis] <= _MOST_COLOURS for axis in (1, 3))
    if first == last:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH,
            f"Which axis of {list(shape)} holds the channels cannot be told; name the layout.",
            field="layout",
        )
    return Layout.CHANNELS_FIRST if first else Layout.CHANNELS_LAST


def to_pixels(images: NDArray[np.generic], layout: Layout) -> Pixels:
    """Pictures of an array of images; O(n C H W).

    Shrunk or stretched bilinearly with antialiasing, then brought to mean 0 and standard deviation 1 over each image's
    own pixels and channels. So pixels from 0 to 255 and from 0 to 1 give the same; an image of one flat colour gives
    zeros. Grey is repeated three times; of two or four channels the last, transparency, is dropped; more than four are
    averaged in three groups.

    Raises
    ------
    InvalidInput
        Not real numbers, NaN or infinity, an axis of length 0, or a shape that does not fit the layout.
    """
    values = _channels_first(images, layout).astype(np.float32)
    if not np.isfinite(values).all():
        raise InvalidInput(Reason.NOT_FINITE, "A pixel is NaN or infinite.", field="items")
    small = torch.nn.functional.interpolate(
        torch.from_numpy(_three_channels(values)), (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
    ).numpy()
    return _without_contrast(small)


def _channels_first(images: NDArray[np.generic], layout: Layout) -> NDArray[np.generic]:
    numeric = np.issubdtype(images.dtype, np.number) and not np.issubdtype(images.dtype, np.complexfloating)
    if not (numeric or images.dtype == np.bool_):
        raise InvalidInput(Reason.FIELD_INVALID, f"Pixels must be real numbers, not {images.dtype}.", field="items")
    if images.ndim != (3 if layout is Layout.GREY else 4) or 0 in images.shape[1:]:
        raise InvalidInput(
            Reason.SHAPE_MISMATCH, f"Images of shape {list(images.shape)} are not {layout.value}.", field="items"
        )
    if layout is Layout.GREY:
        return images[:, None]
    return np.moveaxis(images, 3, 1) if layout is Layout.CHANNELS_LAST else images


def _three_channels(values: NDArray[np.float32]) -> NDArray[np.float32]:
    count = values.shape[1]
    if count <= 2:
        return np.repeat(values[:, :1], _RGB, axis=1)
    if count <= _MOST_COLOURS:
        return np.ascontiguousarray(values[:, :_RGB])
    groups = np.array_split(values, _RGB, axis=1)
    return np.stack([group.mean(axis=1) for group in groups], axis=1)


def _without_contrast(pixels: Pixels) -> Pixels:
    axes = (1, 2, 3)
    wide = pixels.astype(np.float64)
    mean = wide.mean(axis=axes, keepdims=True)
    spread = wide.std(axis=axes, keepdims=True)
    flat = spread <= _FLAT * np.abs(mean)
    return np.asarray(np.where(flat, 0.0, (wide - mean) / np.where(flat, 1.0, spread)), dtype=np.float32)
