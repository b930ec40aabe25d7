"""Commands on specifications, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from learndock.cli.main import execute
from learndock.client import specifying
from learndock.learnware import Modality


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert execute([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = (f"{rng.normal():.4f},{rng.choice(['N', 'S'])}\n" for _ in range(200))
    (tmp_path / "t.csv").write_text("rain,wind\n" + "".join(lines))
    (tmp_path / "schema.json").write_text('{"vocabulary": {"wind": ["N", "S"]}, "units": {"rain": "mm"}}')
    return tmp_path


def test_tables_of_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, schema = folder / "a.json", folder / "schema.json"
    facts = json.loads(run(capsys, "specify", folder / "t.csv", "--schema", schema, "--out", out, "--json"))
    assert (facts["dimension"], facts["rows"]) == (3, 200)
    assert facts["privacy_min_rows_per_atom"] >= 5
    described = json.loads(run(capsys, "specification", "describe", out, "--json"))
    assert [name for name, _, _ in described["columns"]] == ["rain [mm]", "wind = N (0 or 1)", "wind = S (0 or 1)"]
    assert "rain [mm]" in run(capsys, "specification", "describe", out)
    found = json.loads(run(capsys, "specification", "compare", out, out, "--json"))
    assert found == {"mmd2": pytest.approx(0.0, abs=1e-12), "p_value": 1.0}
    run(capsys, "specification", "sample", out, "--count", 20, "--out", folder / "p.npy")
    assert np.load(folder / "p.npy").shape == (20, 3)
    run(capsys, "specification", "plot", out, "--out", folder / "p.png")
    assert (folder / "p.png").stat().st_size > 1000


def test_images_and_texts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "i.npy", np.random.default_rng(0).integers(256, size=(60, 9, 9), dtype=np.uint8))
    out = folder / "i.json"
    facts = json.loads(run(capsys, "specify", folder / "i.npy", "--modality", "image", "--out", out, "--json"))
    assert facts["encoder"].startswith("learndock/random-conv")
    assert specifying.load(out).modality is Modality.IMAGE
    (folder / "t.txt").write_text("".join(f"the {word} is number {n}\n" for n in range(30) for word in ("cat", "car")))
    text = ("specify", folder / "t.txt", "--modality", "text", "--encoder", "glove-6b-50d", "--json")
    facts = json.loads(run(capsys, *text, "--out", folder / "t.json"))
    assert facts["languages"] == "en"
    assert execute([*map(str, text[:-1]), "--encoder", "learndock/random-conv", "--out", str(out)]) != 0


@pytest.mark.parametrize("text", ["[]", "{", '{"dates": [], "colour": 1}', '{"vocabulary": 3}', '{"dates": "day"}'])
def test_a_schema_is_checked(folder: Path, text: str) -> None:
    (folder / "schema.json").write_text(text)
    arguments = ["specify", folder / "t.csv", "--schema", folder / "schema.json", "--out", folder / "a.json"]
    assert execute([str(argument) for argument in arguments]) != 0
    assert not (folder / "a.json").exists()


def test_pictures_of_the_reference_come_back_encoded(folder: Path) -> None:
    pictures = np.random.default_rng(0).normal(size=(3, 1, 32, 32)).tolist()
    document = {"z": pictures, "beta": [0.5, 0.25, 0.25], "type": "RKMEImageSpecification"}
    (folder / "r.json").write_text(json.dumps(document))
    found = specifying.load(folder / "r.json")
    assert (found.encoder, found.dimension, found.modality) == ("learndock/random-conv", 512, Modality.IMAGE)


def test_a_summary_that_gives_rows_away_comes_with_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name, shape, warned in (("wide", (60, 500), True), ("narrow", (2000, 2), False)):
        np.save(folder / f"{name}.npy", rng.normal(size=shape))
        assert execute(["specify", str(folder / f"{name}.npy"), "--out", str(folder / "s.json")]) == 0
        assert ("Before you publish it" in capsys.readouterr().err) is warned
