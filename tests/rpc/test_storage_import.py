"""Packages of a reference dock come in many at a time, and go out again as they were."""

from __future__ import annotations

from collections.abc import Iterator
import os
from pathlib import Path
import subprocess
import zipfile

import pytest

from learndock.client.dock import Dock
from learndock.client.importing import Imported, ImportOutcome, find_packages
from learndock.errors import InvalidInput, ResourceExhausted
from learndock.package.inspection import inspect_package
from learndock.package.semantic import semantic_json
from tests.support.storage import SEMANTIC, Storage, ids, package, served_storage

REFERENCE = Path(__file__).parents[2] / "build" / "reference-venv" / "bin" / "python"
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "learnwares" / "packages"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with served_storage(tmp_path / "dock", max_user_learnwares=8) as made:
        yield made


@pytest.fixture
def dock(storage: Storage) -> Iterator[Dock]:
    with Dock({"storage": storage.served.address}, "USER:ann") as made:
        yield made


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A market's folder, with archives, the copies that it unpacks, and one package at fault."""
    pool = tmp_path / "market" / "learnware_pool"
    (pool / "zips").mkdir(parents=True)
    for note in "123":
        (pool / "zips" / f"0000000{note}.zip").write_bytes(package(note))
    (pool / "zips" / "00000004.zip").write_bytes(package("4", **{"learnware.yaml": b"model: 7"}))
    unpack(package("1"), pool / "unzipped_learnwares" / "00000001")
    return tmp_path / "market"


def unpack(data: bytes, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "packed.zip").write_bytes(data)
    with zipfile.ZipFile(folder / "packed.zip") as archive:
        archive.extractall(folder)
    (folder / "packed.zip").unlink()


def outcomes(found: Iterator[Imported]) -> dict[str, tuple[str, str]]:
    return {each.source.stem: (each.outcome.value, each.learnware_id) for each in found}


def test_a_markets_archives_are_entered_and_told_one_by_one(storage: Storage, dock: Dock, market: Path) -> None:
    found = list(dock.import_packages(market, parallel=3))
    assert [each.source.name for each in found] == [f"0000000{number}.zip" for number in (1, 2, 3, 4)]
    assert [each.outcome for each in found] == [ImportOutcome.ENTERED] * 3 + [ImportOutcome.REFUSED]
    assert "model" in found[3].message
    assert sorted(each.learnware_id for each in found[:3]) == ids(storage.ann)


def test_an_import_that_broke_off_is_run_again(storage: Storage, dock: Dock, market: Path) -> None:
    broken = dock.import_packages(market, parallel=1)
    first = next(broken)
    broken.close()  # type: ignore[attr-defined]  # a generator
    entered = ids(storage.ann)
    again = outcomes(dock.import_packages(market))
    assert again["00000001"] == ("PRESENT", first.learnware_id)
    assert {found for kind, found in again.values() if kind == "ENTERED"} == set(ids(storage.ann)) - set(entered)
    assert len(ids(storage.ann)) == 3


def test_unpacked_packages_are_packed_alike_each_time(storage: Storage, dock: Dock, tmp_path: Path) -> None:
    for note in "12":
        unpack(package(note), tmp_path / "folders" / note)
    (tmp_path / "folders" / "1" / "__pycache__").mkdir()
    (tmp_path / "folders" / "1" / "__pycache__" / "x.pyc").write_bytes(b"left by whoever imported it")
    assert {kind for kind, _ in outcomes(dock.import_packages(tmp_path / "folders")).values()} == {"ENTERED"}
    assert {kind for kind, _ in outcomes(dock.import_packages(tmp_path / "folders")).values()} == {"PRESENT"}
    assert len(ids(storage.ann)) == 2


def test_what_the_reference_keeps_beside_an_upload_tells_what_it_is_for(dock: Dock, tmp_path: Path) -> None:
    (tmp_path / "00000007.zip").write_bytes(package(**{"semantic_specification.json": None}))
    (tmp_path / "00000007.json").write_bytes(semantic_json(SEMANTIC))
    (tmp_path / "00000007_processed.zip").write_bytes(package("as the reference's dock repacked it"))
    (found,) = dock.import_packages(tmp_path)
    assert dock.get(found.learnware_id).semantic_specification == SEMANTIC


def test_an_import_ends_with_the_quota(storage: Storage, dock: Dock, tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}.zip").write_bytes(package(str(number)))
    with pytest.raises(ResourceExhausted):
        list(dock.import_packages(tmp_path, parallel=2))
    assert len(ids(storage.ann)) == 8


def test_a_place_without_packages_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        find_packages(tmp_path)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="the evaluation data is not beside the checkout")
def test_packages_go_round(storage: Storage, tmp_path: Path) -> None:
    sources = sorted(SHARED.glob("*.zip"))[:8]
    assert len(sources) == 8
    (tmp_path / "sources").mkdir()
    for source in sources:
        (tmp_path / "sources" / source.name).write_bytes(source.read_bytes())
    with Dock({"storage": storage.served.address}, "USER:ann") as dock:
        for each in dock.import_packages(tmp_path / "sources"):
            exported = inspect_package(dock.export(each.learnware_id, tmp_path))
            original = inspect_package(each.source)
            assert exported.manifest.learnware_id == each.learnware_id
            assert exported.semantic == original.semantic
            assert exported.specification is not None
            assert original.specification is not None
            assert (exported.specification.atoms == original.specification.atoms).all()
            assert members(tmp_path / f"{each.learnware_id}.zip") == members(each.source)


def members(path: Path) -> dict[str, bytes]:
    rewritten = ("learnware.yaml", "semantic_specification.json")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name not in rewritten}


LOAD = """
import sys
import numpy as np
from learnware.client import LearnwareClient
learnware = LearnwareClient().load_learnware(learnware_path=sys.argv[1], runnable_option=None)
semantic = learnware.get_specification().get_semantic_spec()
rows = learnware.get_specification().get_stat_spec_by_name("RKMETableSpecification").get_z()
print(learnware.id, semantic["Name"]["Values"], len(learnware.predict(np.asarray(rows))) == len(rows))
"""


@pytest.mark.shared
@pytest.mark.skipif(
    not REFERENCE.exists(), reason="the reference engine is not installed: make build/reference-venv/ready"
)
def test_the_reference_engine_loads_what_was_exported(dock: Dock, tmp_path: Path) -> None:
    learnware = dock.submit(SHARED / "wine_012.zip")
    exported = dock.export(learnware.learnware_id, tmp_path)
    environment = {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    told = subprocess.run(
        [str(REFERENCE), "-c", LOAD, str(exported)], env=environment, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    name = learnware.semantic_specification.name
    assert told.stdout.splitlines()[-1] == f"{learnware.learnware_id} {name} True"
