"""Pictures of specifications."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
import pytest

from learndock.errors import InvalidInput
from learndock.rkme.plot import draw, principal_directions, save_plot
from learndock.rkme.specification import Specification

RNG = np.random.default_rng(0)


def specification(*item_shape: int, count: int = 6) -> Specification:
    atoms = RNG.normal(size=(count, int(np.prod(item_shape))))
    return Specification(atoms, np.full(count, 1 / count), item_shape=item_shape)


@pytest.mark.parametrize("shape", [(1,), (5,), (8, 8), (3, 8, 8), (8, 8, 3), (1, 8, 8)])
def test_it_draws_into_files(shape: tuple[int, ...], tmp_path: Path) -> None:
    one = specification(*shape)
    save_plot(one, tmp_path / "a.png")
    save_plot(one, tmp_path / "a.svg")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 500
    assert "<svg" in (tmp_path / "a.svg").read_text()


def test_pictures_are_drawn_one_for_each_atom() -> None:
    assert len(draw(specification(8, 8, count=7)).axes) == 7
    assert len(draw(specification(8, count=7)).axes) == 1


def test_directions_of_largest_variance() -> None:
    along = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])
    atoms = np.stack([along, along, np.zeros(5)], axis=1)
    places, shares = principal_directions(Specification(atoms, np.full(5, 0.2)))
    assert np.abs(np.corrcoef(places[:, 0], along)[0, 1]) == pytest.approx(1.0)
    assert shares.tolist() == pytest.approx([1.0, 0.0])


def test_one_atom_is_a_point() -> None:
    assert principal_directions(specification(4, count=1))[0].tolist() == [[0.0, 0.0]]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none of .png, .svg"):
        save_plot(specification(4), tmp_path / "a.pdf")
