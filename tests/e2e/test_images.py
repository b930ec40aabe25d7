"""Images on a whole dock: specified through an encoder, found, reused; also by a file of the reference."""

from __future__ import annotations

from collections.abc import Iterator
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
import pytest
from sklearn.datasets import load_digits
import torch

from learndock.client.dock import Dock
from learndock.client.specifying import load, specify
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import SourceModel, build_package
from tests.support.dock import running_dock

OWNERS = {"low": range(5), "high": range(5, 10)}
SOURCE = """
import numpy as np
from learnware.model import BaseModel


class Model(BaseModel):
    def __init__(self):
        super().__init__(input_shape=(8, 8), output_shape=(1,))

    def predict(self, X):
        return (np.asarray(X).reshape(len(X), -1).mean(axis=1) > 0.3).astype(int).reshape(-1, 1)
"""


def pictures(labels: range) -> NDArray[np.float32]:
    X, y = load_digits(return_X_y=True)
    return (X[np.isin(y, list(labels))].reshape(-1, 8, 8) / 16).astype(np.float32)


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    folder = tmp_path_factory.mktemp("images")
    with running_dock(folder) as running, Dock(running.address, running.admin_token) as client:
        for name, labels in OWNERS.items():
            entered = client.submit(package(folder / f"{name}.zip", name, labels)).learnware_id
            assert client.wait_until_validated(entered).passed
            client.wait_until_searchable(entered)
        yield client


def package(path: Path, name: str, labels: range) -> Path:
    semantic = SemanticSpecification(
        name=name,
        description="Pictures of digits.",
        data="Image",
        task="Classification",
        library="Others",
        scenarios=("Education",),
        output=FeatureSpace(2),
    )
    specification = specify(pictures(labels)[::2], modality="image")
    build_package(
        path, model=SourceModel(SOURCE), semantic=semantic, specification=specification, requirements=["numpy"]
    )
    return path


@pytest.mark.parametrize("name", OWNERS)
def test_the_owner_of_the_same_pictures_is_found_and_reused(dock: Dock, name: str) -> None:
    mine = pictures(OWNERS[name])[1::2]
    found = dock.search(specify(mine, modality="image"))
    assert found.best is not None
    assert found.best.semantic_specification.name == name
    assert found.certificate.certified
    with dock.reuse([found.best.learnware_id]) as model:
        expected = (mine[:20].reshape(20, -1).mean(axis=1) > 0.3).astype(int)
        np.testing.assert_array_equal(model.predict(mine[:20]), expected)


def test_a_file_of_the_reference_finds_it_too(dock: Dock, tmp_path: Path) -> None:
    small = torch.from_numpy(pictures(OWNERS["low"])[:40, None])
    pixels = torch.nn.functional.interpolate(small, size=(32, 32), mode="bilinear", antialias=True)
    path = tmp_path / "image.json"
    document = {"RKME_IMAGE_VERSION": 1, "z": pixels.tolist(), "beta": [1 / 40] * 40, "type": "RKMEImageSpecification"}
    path.write_text(json.dumps(document))
    found = dock.search(load(path))
    assert found.best is not None
    assert found.best.semantic_specification.name == "low"
