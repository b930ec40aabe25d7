"""The evaluation packages, in the reference's format: all verified, and predicting what the models predict."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
import sys
import zipfile

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.client.dock import Dock
from learndock.client.values import Strategy
from tests.support.dock import running_dock

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "learnwares"
SHIM = ROOT / "learndock" / "sandbox" / "guest" / "shim"
PACKAGES = sorted((DATA / "packages").glob("*.zip"))

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PACKAGES, reason="the evaluation data is not beside the checkout"),
]

DIRECT = """
import importlib.util, sys
import numpy as np
folder, inputs, outputs = sys.argv[1:]
spec = importlib.util.spec_from_file_location("package", folder + "/__init__.py", submodule_search_locations=[folder])
module = importlib.util.module_from_spec(spec)
sys.modules["package"] = module
spec.loader.exec_module(module)
np.save(outputs, np.asarray(module.Model().predict(np.load(inputs))))
"""


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    with (
        running_dock(tmp_path_factory.mktemp("reference")) as running,
        Dock(running.address, running.admin_token) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ids(dock: Dock) -> dict[str, str]:
    """Ids by package, all submitted at once."""
    return {path.stem: dock.submit(path).learnware_id for path in PACKAGES}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.stem)
def test_a_reference_package_is_verified_and_predicts_as_called_directly(
    dock: Dock, ids: dict[str, str], package: Path, tmp_path: Path
) -> None:
    learnware_id = ids[package.stem]
    validation = dock.wait_until_validated(learnware_id)
    assert validation.passed, validation
    rows = inputs_of(package)
    with dock.reuse([learnware_id], strategy=Strategy.TOP1) as model:
        through_the_dock = model.answer(rows).outputs
    assert np.abs(np.asarray(through_the_dock, dtype=np.float64) - direct(package, rows, tmp_path)).max() <= 1e-6


def inputs_of(package: Path) -> NDArray[np.float64]:
    """Rows like those that the model was made for: the atoms of its specification."""
    with zipfile.ZipFile(package) as archive:
        return np.array(json.loads(archive.read("stat_spec.json"))["z"])


def direct(package: Path, rows: NDArray[np.float64], folder: Path) -> NDArray[np.float64]:
    """What the model gives when it is called with nothing in between, in a process of its own."""
    zipfile.ZipFile(package).extractall(folder / "package")
    np.save(folder / "in.npy", rows)
    subprocess.run(
        [sys.executable, "-c", DIRECT, folder / "package", folder / "in.npy", folder / "out.npy"],
        env={"PYTHONPATH": str(SHIM), "OMP_NUM_THREADS": "1"},
        check=True,
    )
    return np.asarray(np.load(folder / "out.npy"), dtype=np.float64)
