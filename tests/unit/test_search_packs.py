"""Specifications on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from learndock.rkme.specification import Fidelity, Specification
from services.search import packs
from services.search.island import IslandKey
from services.search.packs import Pack, remove_other_packs
from tests.support.search import specification


def equal(one: packs.Stored, other: Specification) -> bool:
    return np.array_equal(one.atoms, other.atoms) and np.array_equal(one.weights, other.weights)


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "SEGMENT_BYTES", 4096)


def test_what_was_added_is_read_across_segments_and_again_after_a_restart(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    specifications = [specification(generator, dimension=int(generator.integers(1, 9))) for _ in range(200)]
    pack = Pack(tmp_path)
    stored = [pack.add(one) for one in specifications]
    assert len(list(tmp_path.iterdir())) > 3
    assert all(map(equal, stored, specifications))
    length, checksum = pack.state()
    pack.release()
    pack.close()
    assert all(map(equal, stored, specifications))
    again = Pack(tmp_path, length)
    assert again.state() == (length, checksum)
    for one, other in zip(stored, specifications, strict=True):
        assert equal(again.stored(one.key, one.atom_count, one.place, one.claimed_error), other)


def test_what_was_written_after_a_snapshot_is_overwritten(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    first, lost, later = (specification(generator, atoms=6) for _ in range(3))
    pack = Pack(tmp_path)
    kept = pack.add(first)
    length, _ = pack.state()
    pack.add(lost)
    again = Pack(tmp_path, length)
    assert equal(again.add(later), later)
    assert equal(again.stored(kept.key, 6, kept.place, 0.0), first)


def test_the_claimed_error_and_the_island_are_kept(tmp_path: Path) -> None:
    one = Specification(np.ones((1, 3)), np.ones(1), fidelity=Fidelity(0.25, 1.0))
    stored = Pack(tmp_path).add(one)
    assert (stored.claimed_error, stored.key) == (0.25, IslandKey.of(one))


def test_only_the_pack_in_use_is_kept(tmp_path: Path) -> None:
    one, other = Pack.new(tmp_path), Pack.new(tmp_path)
    remove_other_packs(other)
    assert list(tmp_path.iterdir()) == [other.folder]
    assert one.folder != other.folder
