"""Vectors in cells: what is found along a direction, among whom, and how near that is to a look at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.rkme.specification import Specification
from services.search import bank
from services.search.cells import Cells
from tests.support.search import filled_index, specification

WANTED = 8


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    generator = np.random.default_rng(0)
    families = generator.normal(size=(60, 80))
    return (families[generator.integers(60, size=6000)] + 0.3 * generator.normal(size=(6000, 80))).astype(np.float32)


@pytest.fixture(scope="module")
def cells(vectors: NDArray[np.float32]) -> Cells:
    return Cells.of(vectors)


def reach(vectors: NDArray[np.float32], positions: NDArray[np.int64], direction: NDArray[np.float32]) -> float:
    """How far the best of some positions reaches, as a share of how far any does."""
    return float((vectors[positions] @ direction).max() / (vectors @ direction).max())


def test_those_that_reach_farthest_are_nearly_always_found(vectors: NDArray[np.float32], cells: Cells) -> None:
    generator = np.random.default_rng(1)
    directions = generator.normal(size=(50, 80)).astype(np.float32)
    shares = [reach(vectors, cells.along(one[None, :], None, 6000, WANTED), one) for one in directions]
    assert np.mean(np.array(shares) > 0.98) > 0.9
    assert min(shares) > 0.8


def test_several_directions_are_looked_along_at_once(vectors: NDArray[np.float32], cells: Cells) -> None:
    directions = np.random.default_rng(2).normal(size=(5, 80)).astype(np.float32)
    together = cells.along(directions, None, 6000, WANTED)
    apart = [cells.along(one[None, :], None, 6000, WANTED) for one in directions]
    assert list(together) == sorted(set(np.concatenate(apart).tolist()))


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_only_the_admitted_are_found(vectors: NDArray[np.float32], cells: Cells, share: float) -> None:
    generator = np.random.default_rng(3)
    admitted = generator.random(6000) < share
    direction = generator.normal(size=80).astype(np.float32)
    found = cells.along(direction[None, :], admitted, int(admitted.sum()), WANTED)
    assert admitted[found].all()
    among = np.flatnonzero(admitted)
    assert reach(vectors[among], np.searchsorted(among, found), direction) > 0.8


def test_the_same_vectors_make_the_same_cells(vectors: NDArray[np.float32], cells: Cells) -> None:
    directions = np.random.default_rng(4).normal(size=(20, 80)).astype(np.float32)
    again = Cells.of(vectors.copy())
    assert list(cells.along(directions, None, 6000, WANTED)) == list(again.along(directions, None, 6000, WANTED))


class TestBank:
    @pytest.fixture
    def specifications(self) -> list[Specification]:
        generator = np.random.default_rng(5)
        return [specification(generator, dimension=4, atoms=5) for _ in range(300)]

    @pytest.mark.parametrize("least", [1, 10**9], ids=["in cells", "one by one"])
    def test_what_the_admitted_reach_is_found(
        self, tmp_path: Path, specifications: list[Specification], least: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bank, "LEAST", least)
        island = filled_index(tmp_path, specifications).current.islands["table-d4"]
        assert (island.large.cells is None) == (least > 300)
        admitted = np.arange(300) % 3 == 0
        directions = np.stack([island.large.rows[position, :-1] for position in (30, 33)]).astype(np.float64)
        found = {placed.entry.learnware_id for placed in island.large.along(directions, admitted, 4)}
        assert {"00000031", "00000034"} <= found
        assert all((int(name) - 1) % 3 == 0 for name in found)
        assert len(found) <= 8

    def test_nobody_is_found_among_nobody(self, tmp_path: Path, specifications: list[Specification]) -> None:
        large = filled_index(tmp_path, specifications).current.islands["table-d4"].large
        assert large.along(np.ones((1, large.rows.shape[1] - 1)), np.zeros(300, dtype=bool), 4) == []
