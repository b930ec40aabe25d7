"""A neighbour's predictions beside hostile packages under validation: hardly later than alone.

Nine of ten, that is: the last hundredth of such short ones is a tick of the scheduler (4 ms) wherever all processors
are busy, with whatever. Beside a crowd of processes it is half of them: where no control group can be made, each of the
crowd is nice, but all together outweigh the neighbour (docs/decisions/0028-validations-yield.md).
``make bench-validation`` measures the tail as well, over longer times, beside what the machine does with no hostile
package at all. Each package has several attempts: a busy machine makes the figure jump by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.neighbour import attacking, batch_seconds
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess
from learndock.serving.process import take_short_turns
from tests.support.models import model_package

EXECUTOR = "bubblewrap"
BOUND, ATTEMPTS, TURNS, SECONDS = 1.2, 8, 3, 0.5
INPUTS = np.random.default_rng(0).normal(size=(1000, 64))
WORK = "for _ in range(4): np.sort(X, axis=0)\nreturn np.zeros(len(X))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("neighbour")


@pytest.fixture(scope="module")
def neighbour(folder: Path) -> Iterator[ModelProcess]:
    launcher = LearnwareLauncher(
        choose_executor(EXECUTOR), EnvironmentCache(folder / "environments"), folder / "work", Limits()
    )
    take_short_turns()
    with launcher.open(model_package(folder, predict=WORK)) as model:
        batch_seconds(model, INPUTS, 0.5)
        yield model


@pytest.mark.parametrize(("name", "part"), [("endless loop", 0.9), ("fork bomb", 0.5), ("endless output", 0.9)])
def test_predictions_take_hardly_longer(neighbour: ModelProcess, name: str, part: float, folder: Path) -> None:
    ratios: list[float] = []
    while not ratios or (ratios[-1] >= BOUND and len(ratios) < ATTEMPTS):
        ratios.append(change(neighbour, name, part, folder))
    assert min(ratios) < BOUND, ratios


def change(neighbour: ModelProcess, name: str, part: float, folder: Path) -> float:
    """What so many take at most beside the hostile package, as a multiple of that alone."""
    alone, beside = [], []
    for _ in range(TURNS):
        alone += batch_seconds(neighbour, INPUTS, SECONDS)
        with attacking(folder, EXECUTOR, name):
            beside += batch_seconds(neighbour, INPUTS, SECONDS)
    return float(np.quantile(beside, part) / np.quantile(alone, part))
