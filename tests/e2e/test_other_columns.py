"""A user whose table has other columns than any learnware's: found by what columns mean, and reused."""

from __future__ import annotations

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.client.dock import Dock
from learndock.client.specifying import specify
from learndock.client.values import SearchAdvice, Strategy
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import SourceModel, build_package
from learndock.reuse.labels import Labelled
from tests.support.dock import RunningDock, running_dock

OWNERS = ("air temperature [degC]", "air pressure [hPa]", "precipitation [mm]", "wind speed [m/s]")
# What the model says: 2 temperature + pressure / 100 - wind; it does not look at precipitation.
SOURCE = """
import numpy as np
from learnware.model import BaseModel


class Model(BaseModel):
    def __init__(self):
        super().__init__(input_shape=(4,), output_shape=(1,))

    def predict(self, X):
        X = np.asarray(X)
        return (2 * X[:, 0] + X[:, 1] / 100 - X[:, 3]).reshape(-1, 1)
"""
HEADER = "wind,warmth,barometer"
SCHEMA = {
    "meanings": {"wind": "speed of the wind", "warmth": "temperature outdoors", "barometer": "barometric pressure"},
    "units": {"wind": "km/h", "warmth": "degF", "barometer": "kPa"},
}


def weather(seed: int, rows: int = 200) -> NDArray[np.float64]:
    spread = np.array([4.0, 10.0, 2.0, 1.0])
    return np.array([15.0, 1000.0, 5.0, 3.0]) + np.random.default_rng(seed).standard_normal((rows, 4)) * spread


def in_users_columns(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([rows[:, 3] * 3.6, rows[:, 0] * 1.8 + 32.0, rows[:, 1] / 10.0])


def truth(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return 2 * rows[:, 0] + rows[:, 1] / 100 - rows[:, 3]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDock]:
    folder = tmp_path_factory.mktemp("columns")
    with running_dock(folder) as running, Dock(running.address, running.admin_token) as client:
        semantic = SemanticSpecification(
            name="weather",
            description="Weather to a number.",
            data="Table",
            task="Regression",
            library="Others",
            scenarios=("Nature",),
            input=FeatureSpace(4, dict(enumerate(OWNERS))),
            output=FeatureSpace(1, {0: "a number"}),
        )
        package = folder / "weather.zip"
        build_package(
            package,
            model=SourceModel(SOURCE),
            semantic=semantic,
            specification=specify(weather(0), input_space=semantic.input),
            requirements=["numpy"],
        )
        entered = client.submit(package).learnware_id
        assert client.wait_until_validated(entered).passed
        client.wait_until_searchable(entered)
        yield running


@pytest.fixture
def table(tmp_path: Path) -> Path:
    np.savetxt(tmp_path / "X.csv", in_users_columns(weather(1)), delimiter=",", header=HEADER, comments="")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    return tmp_path


def test_found_by_meaning_and_reused_in_the_dock_and_at_home(running: RunningDock) -> None:
    rows = weather(1)
    space = FeatureSpace(
        3, {0: "speed of the wind [km/h]", 1: "temperature outdoors [degF]", 2: "barometric pressure [kPa]"}
    )
    task = specify(in_users_columns(rows), input_space=space)
    with Dock(running.address, running.admin_token) as dock:
        found = dock.search(task)
        assert found.advice is SearchAdvice.NO_COMPARABLE_LEARNWARE
        (single,) = found.across
        assert {match.task_column: match.learnware_column for match in single.columns} == {0: 3, 1: 0, 2: 1}
        with dock.reuse(found) as model:
            np.testing.assert_allclose(model.predict(in_users_columns(rows)).ravel(), truth(rows), rtol=1e-6)
        known = Labelled(in_users_columns(rows[:40]), 3 * truth(rows[:40]) + 7)
        with dock.reuse(found, strategy=Strategy.HETERO_ALIGN, labelled=known, where="local") as model:
            said = model.predict(in_users_columns(rows[40:])).ravel()
        assert np.sqrt(np.mean((said - 3 * truth(rows[40:]) - 7) ** 2)) < 0.5 * np.std(3 * truth(rows))


def test_columns_without_words_find_nothing(running: RunningDock) -> None:
    with Dock(running.address, running.admin_token) as dock:
        found = dock.search(specify(in_users_columns(weather(1))))
    assert found.across == ()
    assert found.advice is SearchAdvice.NO_COMPARABLE_LEARNWARE


def test_the_story_from_a_shell(running: RunningDock, table: Path) -> None:
    def learndock(*arguments: str) -> str:
        environment = {**os.environ, "LEARNDOCK_ADDRESS": running.address, "LEARNDOCK_TOKEN": running.admin_token}
        command = [sys.executable, "-m", "learndock.cli.main", *arguments]
        return subprocess.run(command, cwd=table, env=environment, check=True, capture_output=True, text=True).stdout

    learndock("specify", "X.csv", "--schema", "schema.json", "--out", "task.json")
    told = learndock("search", "--specification", "task.json")
    assert "temperature outdoors" in told
    learndock("reuse", "--specification", "task.json", "--data", "X.csv", "--out", "y.npy")
    np.testing.assert_allclose(np.load(table / "y.npy").ravel(), truth(weather(1)), rtol=1e-6)
