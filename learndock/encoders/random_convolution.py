"""Image vectors without training: a small convolutional network of fixed random filters.

Random filters with rectification and pooling see edges, their combinations and roughly where they are, and so bring
images of a kind together, which raw pixels do not (Jarrett et al., What is the best multi-stage architecture for object
recognition?, ICCV 2009; Saxe et al., On random weights and unsupervised feature learning, ICML 2011).
docs/decisions/0003-encoders.md tells what was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch

from learndock.encoders.batches import encode_batches
from learndock.encoders.encoder import Items, Progress, Vectors, silent
from learndock.encoders.images import Images
from learndock.encoders.pixels import Pixels
from learndock.learnware import Modality

SEED = 1
CHANNELS = (3, 32, 32, 32)
"""Colours, then the filters of each layer; each layer halves the sides of its input."""
KERNEL = 3
GRID = 4
"""What is left of a picture's sides after the last layer."""

_BATCH_IMAGES = 256


@dataclass(frozen=True)
class RandomConvolutionEncoder:
    """Three layers of fixed random filters over a 32 x 32 picture; 512 numbers, 32 filters at 4 x 4 places.

    Each layer convolves with 3 x 3 filters of mean zero, rectifies and halves the sides by averaging. Pictures are
    brought to mean 0 and standard deviation 1 first, see `learndock.encoders.pixels`. It needs no package but torch.
    The filters are the same on every platform; the vectors agree to rounding.
    """

    name: str = "learndock/random-conv"
    revision: str = "1"
    modality: Modality = Modality.IMAGE
    dimension: int = CHANNELS[-1] * GRID * GRID

    def encode(self, items: Items | Images, *, progress: Progress | None = None) -> Vectors:
        """Vectors float32 [n, 512] of images, about 1,000 a second on a busy core.

        Raises
        ------
        InvalidInput
            An item is no image, or a pixel is not finite.
        FailedPrecondition
            Files or PIL images are given and Pillow is not installed.
        """
        images = Images.of(items)
        parts = (slice(start, start + _BATCH_IMAGES) for start in range(0, len(images), _BATCH_IMAGES))
        return encode_batches(
            parts, lambda part: encode_pixels(images.pixels(part)), count=len(images), progress=progress or silent
        )


def encode_pixels(pixels: Pixels) -> Vectors:
    """Vectors float32 [n, 512] of pictures float32 [n, 3, 32, 32] as `learndock.encoders.pixels` makes them."""
    hidden = torch.from_numpy(pixels)
    for filters in _filters():
        # Edges are repeated outwards: zeros would draw a frame around every picture.
        padded = torch.nn.functional.pad(hidden, (KERNEL // 2,) * 4, mode="replicate")
        hidden = torch.nn.functional.avg_pool2d(torch.relu(torch.nn.functional.conv2d(padded, filters)), 2)
    vectors: Vectors = hidden.flatten(1).numpy()
    return vectors


@cache
def _filters() -> Sequence[torch.Tensor]:
    """Filters of each layer, [out, in, 3, 3]: mean zero within each 3 x 3, squared norm 2, which keeps the scale."""
    source = np.random.PCG64(SEED)
    layers = []
    for inputs, outputs in pairwise(CHANNELS):
        shape = (outputs, inputs, KERNEL, KERNEL)
        # Whole numbers below 2^24: unlike normal deviates, they involve no platform's mathematics library.
        raw = (source.random_raw(int(np.prod(shape))) >> np.uint64(40)).astype(np.float64).reshape(shape)
        centred = raw - raw.mean(axis=(2, 3), keepdims=True)
        filters = centred / np.sqrt((centred**2).sum(axis=(1, 2, 3), keepdims=True) / 2)
        layers.append(torch.from_numpy(filters.astype(np.float32)))
    return tuple(layers)
