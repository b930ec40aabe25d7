"""The random convolution: plain arithmetic, the same everywhere, and of use."""

from collections.abc import Sequence
import hashlib
from itertools import pairwise
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from learndock.encoders.pixels import Layout, to_pixels
from learndock.encoders.random_convolution import CHANNELS, SEED, RandomConvolutionEncoder, encode_pixels
from learndock.errors import Cancelled, InvalidInput, Reason

HASHING = """
import hashlib
import numpy as np
from learndock.encoders.random_convolution import RandomConvolutionEncoder
images = np.random.default_rng(0).integers(0, 256, (600, 28, 28)).astype(np.uint8)
print(hashlib.sha256(RandomConvolutionEncoder().encode(images).tobytes()).hexdigest())
"""


def images(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *(shape or (28, 28)))).astype(np.uint8)


def filters() -> Sequence[np.ndarray]:
    """Oracle of the fixed filters, from the generator's raw 64-bit words."""
    words = np.random.PCG64(SEED)
    layers = []
    for inputs, outputs in pairwise(CHANNELS):
        layer = np.array([int(words.random_raw()) >> 40 for _ in range(outputs * inputs * 9)], dtype=float)
        layer = layer.reshape(outputs, inputs, 3, 3)
        layer -= layer.mean(axis=(2, 3), keepdims=True)
        layers.append(layer / np.sqrt((layer**2).sum(axis=(1, 2, 3), keepdims=True) / 2))
    return layers


def convolved(picture: np.ndarray) -> np.ndarray:
    """Oracle: the network on one picture [3, 32, 32] in plain loops over places."""
    hidden = picture.astype(float)
    for layer in filters():
        side = hidden.shape[1]
        padded = np.pad(hidden, ((0, 0), (1, 1), (1, 1)), mode="edge")
        out = np.empty((len(layer), side, side))
        for row in range(side):
            for column in range(side):
                out[:, row, column] = np.tensordot(layer, padded[:, row : row + 3, column : column + 3], axes=3)
        hidden = np.maximum(out, 0).reshape(len(layer), side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return hidden.ravel()


def test_it_is_three_layers_of_convolution_rectification_and_averaging() -> None:
    pixels = to_pixels(images(2, 40, 30, 3), Layout.CHANNELS_LAST)
    expected = np.stack([convolved(picture) for picture in pixels])
    np.testing.assert_allclose(encode_pixels(pixels), expected, rtol=1e-4, atol=1e-5)


def test_vectors_are_float32_of_the_stated_dimension() -> None:
    encoder = RandomConvolutionEncoder()
    vectors = encoder.encode(images(3))
    assert (vectors.shape, vectors.dtype) == ((3, encoder.dimension), np.float32)


def test_order_and_batches_do_not_matter() -> None:
    encoder = RandomConvolutionEncoder()
    whole = encoder.encode(images(600))
    np.testing.assert_allclose(encoder.encode(images(600)[::-1])[::-1], whole, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(images(600)[300:301]), whole[300:301], atol=1e-5)


def test_the_same_bytes_on_any_number_of_threads() -> None:
    def digest(threads: int) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        return subprocess.run(
            [sys.executable, "-c", HASHING], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert digest(1) == digest(8)


def test_the_same_bytes_whatever_torch_is_set_to() -> None:
    def digest(threads: int) -> str:
        torch.set_num_threads(threads)
        return hashlib.sha256(RandomConvolutionEncoder().encode(images(600)).tobytes()).hexdigest()

    before = torch.get_num_threads()
    try:
        assert digest(1) == digest(4)
    finally:
        torch.set_num_threads(before)


def test_kinds_of_images_lie_apart() -> None:
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    digits = load_digits()
    vectors = RandomConvolutionEncoder().encode(digits.images[:600])
    neighbours = KNeighborsClassifier(1).fit(vectors[:300], digits.target[:300])
    assert neighbours.score(vectors[300:], digits.target[300:600]) > 0.75


def test_progress_is_told_and_may_stop_it() -> None:
    shares: list[float] = []

    def note(stage: str, share: float) -> None:
        assert stage == "encode"
        shares.append(share)

    def stop(stage: str, share: float) -> None:
        raise Cancelled(Reason.CANCELLED, "enough")

    RandomConvolutionEncoder().encode(images(600), progress=note)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    with pytest.raises(Cancelled):
        RandomConvolutionEncoder().encode(images(600), progress=stop)


def test_an_error_in_a_batch_reaches_the_caller() -> None:
    broken = images(600).astype(float)
    broken[550, 3, 3] = np.nan
    with pytest.raises(InvalidInput) as caught:
        RandomConvolutionEncoder().encode(broken)
    assert caught.value.reason is Reason.NOT_FINITE
