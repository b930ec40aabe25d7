"""Built packages are in the reference's format, the same every time, and predict what their model predicts."""

from __future__ import annotations

from dataclasses import replace
import json
from pathlib import Path
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
import torch

from learndock.cli.options import read_semantic
from learndock.errors import InvalidInput, Reason
from learndock.learnware import FeatureSpace, FormatClass, SemanticSpecification
from learndock.package.archive import PackageArchive
from learndock.package.build import SourceModel, build_package, installed_requirements
from learndock.package.inspection import inspect_package
from learndock.package.semantic import describe_semantic, semantic_json
from learndock.rkme.specification import Specification

SHIM = Path(__file__).parents[2] / "learndock" / "sandbox" / "guest" / "shim"
# The tests' own models, so they may run here; strangers' models run in a sandbox only.
RUN = """
import importlib.util, json, sys
import numpy as np
folder, entry, rows = json.loads(sys.argv[1])
place = importlib.util.spec_from_file_location("package", folder + "/__init__.py", submodule_search_locations=[folder])
module = importlib.util.module_from_spec(place)
sys.modules["package"] = module
place.loader.exec_module(module)
model = getattr(module, entry["class_name"])(**entry["kwargs"])
print(json.dumps([model.output_shape, np.asarray(model.predict(np.array(rows))).tolist()]))
"""
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
SPECIFICATION = Specification(atoms=X[:5].astype(np.float32), weights=np.full(5, 0.2), row_count=60)


def semantic(task: str, outputs: int) -> SemanticSpecification:
    return describe_semantic("three columns", "", data="Table", task=task, inputs=3, outputs=outputs)


def outputs(tmp_path: Path, package: Path, rows: NDArray[np.float64]) -> tuple[list[int], NDArray[np.float64]]:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with PackageArchive.open(package) as archive:
        archive.extract(folder)
    model = inspect_package(package).manifest.model
    entry = {"class_name": model.class_name, "kwargs": model.kwargs}
    process = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([str(folder), entry, rows.tolist()])],
        env={"PYTHONPATH": str(SHIM), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    shape, values = json.loads(process.stdout)
    return shape, np.array(values)


def test_an_estimators_classes_take_their_places(tmp_path: Path) -> None:
    model = LogisticRegression().fit(X, np.where(X[:, 0] > 0, 4, 1))
    path = tmp_path / "package.zip"
    build_package(path, model=model, semantic=semantic("Classification", 6), specification=SPECIFICATION)
    shape, values = outputs(tmp_path, path, X)
    assert shape == [6]
    np.testing.assert_allclose(values[:, [1, 4]], model.predict_proba(X))
    assert not values[:, [0, 2, 3, 5]].any()


def test_labels_by_choice(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, np.where(X[:, 0] > 0, 2, 0))
    path = tmp_path / "package.zip"
    build_package(
        path, model=model, semantic=semantic("Classification", 3), specification=SPECIFICATION, method="predict"
    )
    shape, values = outputs(tmp_path, path, X)
    assert shape == [1]
    np.testing.assert_array_equal(values.ravel(), model.predict(X))


def test_regression(tmp_path: Path) -> None:
    model = LinearRegression().fit(X, X @ [1.0, 2.0, 3.0])
    path = tmp_path / "package.zip"
    build_package(path, model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION)
    shape, values = outputs(tmp_path, path, X)
    assert shape == [1]
    np.testing.assert_allclose(values.ravel(), model.predict(X))


class Twice(torch.nn.Module):
    """Not in any installed package, and it decides by its input."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if bool(rows.sum() > 1e9):
            return rows
        return 2 * rows


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_torch_modules_run_without_their_source(tmp_path: Path, method: str) -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(), Twice(), torch.nn.BatchNorm1d(4)).eval()
    path = tmp_path / "package.zip"
    build_package(
        path,
        model=module,
        semantic=semantic("Classification", 4),
        specification=SPECIFICATION,
        method=method,  # type: ignore[arg-type]
    )
    shape, values = outputs(tmp_path, path, X)
    with torch.no_grad():
        expected = module(torch.as_tensor(X, dtype=torch.float32))
        expected = torch.softmax(expected, 1) if method == "predict_proba" else expected
    assert shape == [4]
    np.testing.assert_allclose(values, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_source_and_arrays(tmp_path: Path) -> None:
    source = """
import os
import numpy as np
from learnware.model import BaseModel

class Net(BaseModel):
    def __init__(self, bias):
        super().__init__(input_shape=(3,), output_shape=(1,))
        self.w = np.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights.npz"))["w"]
        self.bias = bias

    def predict(self, X):
        return (np.asarray(X) @ self.w + self.bias).reshape(-1, 1)
"""
    model = SourceModel(source, class_name="Net", kwargs={"bias": 2.0}, arrays={"w": np.array([1.0, 0.0, 0.0])})
    path = tmp_path / "package.zip"
    build_package(path, model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION)
    _, values = outputs(tmp_path, path, X)
    np.testing.assert_allclose(values.ravel(), X[:, 0] + 2)
    assert inspect_package(path).scan.format_class is FormatClass.SAFE


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    model = LinearRegression().fit(X, X[:, 0])
    for name in ("a.zip", "b.zip"):
        build_package(tmp_path / name, model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_requirements_are_pinned_to_what_is_installed(tmp_path: Path) -> None:
    import sklearn

    path = tmp_path / "package.zip"
    model = LinearRegression().fit(X, X[:, 0])
    build_package(path, model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION)
    assert f"scikit-learn=={sklearn.__version__}" in inspect_package(path).requirements.lines
    assert installed_requirements(["torch", "json"]) == (f"torch=={torch.__version__.split('+')[0]}",)
    build_package(
        path, model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION, requirements=["numpy>=2"]
    )
    assert inspect_package(path).requirements.lines == ("numpy>=2",)


@pytest.mark.parametrize("model", ["no model", object()])
def test_what_is_no_model_is_refused(tmp_path: Path, model: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        build_package(tmp_path / "p.zip", model=model, semantic=semantic("Regression", 1), specification=SPECIFICATION)
    assert caught.value.field == "model"


def test_code_that_is_not_installed_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        installed_requirements(["my_notebook"])
    assert (caught.value.reason, caught.value.field) == (Reason.FIELD_INVALID, "model")


def test_parts_that_do_not_fit_leave_no_package(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    wide = describe_semantic("wide", "", data="Table", task="Regression", inputs=4, outputs=1)
    with pytest.raises(InvalidInput) as caught:
        build_package(path, model=LinearRegression().fit(X, X[:, 0]), semantic=wide, specification=SPECIFICATION)
    assert caught.value.reason is Reason.SPECIFICATION_INVALID
    assert not path.exists()


def test_an_input_that_was_left_out_comes_from_the_specification(tmp_path: Path) -> None:
    left_out = replace(semantic("Regression", 1), input=None)
    named = SPECIFICATION.with_input(FeatureSpace(3, {0: "rain [mm]", 2: "x" * 2000}))
    model = LinearRegression().fit(X, X[:, 0])
    for specification, texts in ((SPECIFICATION, {}), (named, {0: "rain [mm]", 2: "x" * 1000})):
        path = tmp_path / "p.zip"
        build_package(path, model=model, semantic=left_out, specification=specification)
        packed = inspect_package(path).semantic
        assert packed is not None
        assert packed.input == FeatureSpace(3, texts)


def test_an_input_of_the_owners_stays(tmp_path: Path) -> None:
    own = replace(semantic("Regression", 1), input=FeatureSpace(3, {0: "mine"}))
    named = SPECIFICATION.with_input(FeatureSpace(3, {0: "rain [mm]"}))
    build_package(tmp_path / "p.zip", model=LinearRegression().fit(X, X[:, 0]), semantic=own, specification=named)
    packed = inspect_package(tmp_path / "p.zip").semantic
    assert packed is not None
    assert packed.input == own.input


def test_a_semantic_file_is_completed_from_the_package(tmp_path: Path) -> None:
    build_package(
        tmp_path / "p.zip",
        model=LinearRegression().fit(X, X[:, 0]),
        semantic=semantic("Regression", 1),
        specification=SPECIFICATION.with_input(FeatureSpace(3, {1: "wind"})),
    )
    (tmp_path / "s.json").write_bytes(semantic_json(replace(semantic("Regression", 1), input=None)))
    read = read_semantic(tmp_path / "s.json", tmp_path / "p.zip")
    assert read is not None
    assert read.input == FeatureSpace(3, {1: "wind"})
    alone = read_semantic(tmp_path / "s.json")
    assert alone is not None
    assert alone.input is None
