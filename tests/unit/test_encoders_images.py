"""Images of every kind become the same small pictures."""

from pathlib import Path

import numpy as np
import pytest

from learndock.encoders.images import Images
from learndock.encoders.pixels import SIDE, Layout, layout_of, to_pixels
from learndock.errors import InvalidInput, Reason
from tests.support.extras import require

EVERYTHING = slice(None)


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def shrunk(line: np.ndarray) -> np.ndarray:
    """Oracle: a line of even length to SIDE pixels, each a triangle-weighted mean of its surroundings."""
    step = len(line) / SIDE
    centres = (np.arange(SIDE) + 0.5) * step
    places = np.arange(len(line)) + 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(places[None] - centres[:, None]) / max(1.0, step))
    return (weights / weights.sum(axis=1, keepdims=True)) @ line


def standardised(image: np.ndarray) -> np.ndarray:
    return (image - image.mean()) / image.std()


def test_shrinking_is_a_triangle_weighted_mean() -> None:
    image = picture(96, 64).astype(float)
    expected = standardised(shrunk(shrunk(image).T).T)
    pixels = to_pixels(image[None], Layout.GREY)
    np.testing.assert_allclose(pixels[0], np.stack([expected] * 3), atol=1e-5)


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    image = picture(SIDE, SIDE, 3)
    pixels = to_pixels(image[None], Layout.CHANNELS_LAST)
    np.testing.assert_allclose(pixels[0], standardised(np.moveaxis(image.astype(float), 2, 0)), atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (28, 28), (33, 31)])
def test_any_size_comes_out_the_same_shape(size: tuple[int, int]) -> None:
    assert Images.of(picture(2, *size)).pixels(EVERYTHING).shape == (2, 3, SIDE, SIDE)


@pytest.mark.parametrize("scale", [1 / 255, 257.0, -1e-3])
def test_units_do_not_matter(scale: float) -> None:
    images = picture(4, 28, 28)
    expected = np.sign(scale) * Images.of(images).pixels(EVERYTHING)
    np.testing.assert_allclose(Images.of(images * scale).pixels(EVERYTHING), expected, atol=2e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 255.0, 1e5])
def test_a_flat_image_is_zeros(value: float) -> None:
    assert not Images.of(np.full((2, 50, 41, 3), value)).pixels(EVERYTHING).any()


def test_layouts_agree() -> None:
    grey, colour = picture(5, 30, 20), picture(5, 30, 20, 3)
    forms = [grey, grey[..., None], grey[:, None], np.stack([grey] * 3, axis=3), list(grey)]
    for form in forms:
        np.testing.assert_array_equal(Images.of(form).pixels(EVERYTHING), Images.of(grey).pixels(EVERYTHING))
    np.testing.assert_array_equal(
        Images.of(np.moveaxis(colour, 3, 1)).pixels(EVERYTHING), Images.of(colour).pixels(EVERYTHING)
    )


def test_transparency_is_dropped_and_many_channels_are_averaged_in_three() -> None:
    many = picture(2, 8, 8, 7).astype(float)
    groups = np.stack([many[..., :3].mean(3), many[..., 3:5].mean(3), many[..., 5:].mean(3)], axis=3)
    cases = [(many[..., :4], many[..., :3]), (many[..., :2], many[..., :1]), (many, groups)]
    for given, meant in cases:
        np.testing.assert_allclose(
            to_pixels(given, Layout.CHANNELS_LAST), to_pixels(meant, Layout.CHANNELS_LAST), atol=1e-5
        )


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5, 28, 28), Layout.GREY),
        ((5, 28, 28, 1), Layout.CHANNELS_LAST),
        ((5, 28, 28, 4), Layout.CHANNELS_LAST),
        ((5, 3, 28, 28), Layout.CHANNELS_FIRST),
    ],
)
def test_layout_is_told_from_the_shape(shape: tuple[int, ...], layout: Layout) -> None:
    assert layout_of(shape) is layout


@pytest.mark.parametrize("shape", [(5, 3, 28, 3), (5, 28, 28, 28), (28, 28), (5, 28, 28, 3, 1), (5, 0, 28, 28)])
def test_what_could_be_read_two_ways_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        layout_of(shape)
    assert caught.value.reason is Reason.SHAPE_MISMATCH


def test_a_named_layout_settles_it() -> None:
    images = picture(2, 3, 28, 3)
    first = Images.of(images, layout=Layout.CHANNELS_FIRST).pixels(EVERYTHING)
    last = Images.of(images, layout=Layout.CHANNELS_LAST).pixels(EVERYTHING)
    assert not np.array_equal(first, last)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        (np.full((2, 8, 8), np.nan), Reason.NOT_FINITE),
        (np.full((2, 8, 8), np.inf), Reason.NOT_FINITE),
        (np.full((2, 8, 8), 1j), Reason.FIELD_INVALID),
        (np.full((2, 8, 8), "x"), Reason.FIELD_INVALID),
        (np.zeros((2, 8, 0)), Reason.SHAPE_MISMATCH),
        (np.zeros((0, 8, 8)), Reason.FIELD_INVALID),
        ([], Reason.FIELD_INVALID),
        ([np.zeros((8, 8)), np.zeros(8)], Reason.SHAPE_MISMATCH),
        ([np.zeros((8, 8)), object()], Reason.SHAPE_MISMATCH),
    ],
)
def test_what_is_no_image_is_refused(images: object, reason: Reason) -> None:
    with pytest.raises(InvalidInput) as caught:
        Images.of(images).pixels(EVERYTHING)
    assert caught.value.reason is reason


def test_the_image_at_fault_is_named() -> None:
    with pytest.raises(InvalidInput, match="Image 1"):
        Images.of([np.zeros((8, 8)), np.full((8, 8), np.nan)]).pixels(EVERYTHING)


def test_an_array_file_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", picture(3, 9, 9))
    np.testing.assert_array_equal(
        Images.of(tmp_path / "images.npy").pixels(EVERYTHING), Images.of(picture(3, 9, 9)).pixels(EVERYTHING)
    )


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    require("PIL")
    from PIL import Image

    images = {name: picture(20, 30, 3, seed=seed) for seed, name in enumerate(["b.png", "a/c.bmp", ".hidden.png"])}
    (tmp_path / "a").mkdir()
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    expected = Images.of(np.stack([images["a/c.bmp"], images["b.png"]])).pixels(EVERYTHING)
    np.testing.assert_array_equal(Images.of(str(tmp_path)).pixels(EVERYTHING), expected)


def test_pil_images_of_every_mode_are_read() -> None:
    require("PIL")
    from PIL import Image

    colour, grey = Image.fromarray(picture(20, 30, 3)), Image.fromarray(picture(20, 30))
    deep = Image.fromarray(picture(20, 30).astype(np.uint16) * 257)
    alpha = colour.copy()
    alpha.putalpha(7)
    for image, same_as in ((colour, picture(20, 30, 3)), (alpha, picture(20, 30, 3)), (grey, picture(20, 30))):
        expected = Images.of([same_as]).pixels(EVERYTHING)
        np.testing.assert_array_equal(Images.of([image]).pixels(EVERYTHING), expected)
    np.testing.assert_allclose(Images.of(deep).pixels(EVERYTHING), Images.of(grey).pixels(EVERYTHING), atol=1e-5)
    for mode in ("1", "P", "CMYK", "F", "LA"):
        assert Images.of([colour.convert("L").convert(mode)]).pixels(EVERYTHING).shape == (1, 3, SIDE, SIDE)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    require("PIL")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(InvalidInput, match=r"broken\.png"):
        Images.of(tmp_path).pixels(EVERYTHING)


@pytest.mark.parametrize("name", ["missing", "missing.npy", ""])
def test_a_path_without_images_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        Images.of(tmp_path / name)
