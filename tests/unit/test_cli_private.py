"""Differentially private specifications from the command line, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from learndock.cli.main import execute
from learndock.client import specifying
from learndock.rkme.private import PrivateSpecification
from learndock.rkme.specification import Specification


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "t.npy", np.random.default_rng(0).normal(size=(5000, 2)))
    (tmp_path / "ranges.json").write_text("[[-4, 4], [-4, 4]]")
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    private = ["--epsilon", "1", "--delta", "1e-5", "--ranges", str(folder / "ranges.json")]
    return ["specify", str(folder / "t.npy"), "--out", str(folder / "p.json"), *private, *more]


def test_it_tells_what_was_spent_and_how_good_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(arguments(folder, "--json")) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["epsilon"], facts["delta"], facts["rows"], facts["dimension"]) == (1.0, 1e-5, 5000, 2)
    assert 0 < facts["expected_error"] < 1e-3
    released = specifying.load_task(folder / "p.json")
    assert isinstance(released, PrivateSpecification)
    assert released.noise == facts["noise"]
    assert execute(arguments(folder)) == 0
    assert "expected_error" in capsys.readouterr().out.replace(" ", "_")


def test_other_files_are_tasks_too(folder: Path) -> None:
    specifying.save(specifying.specify(folder / "t.npy", atom_count=8), folder / "s.json")
    assert isinstance(specifying.load_task(folder / "s.json"), Specification)


def test_what_does_not_go_together_is_refused(folder: Path) -> None:
    assert execute(arguments(folder)[:6]) != 0
    assert execute(arguments(folder, "--atoms", "10")) != 0
    (folder / "ranges.json").write_text("[[-4, 4]]")
    assert execute(arguments(folder)) != 0
    (folder / "ranges.json").write_text("{")
    assert execute(arguments(folder)) != 0
