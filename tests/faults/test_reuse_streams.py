"""A member's process dies in the middle of a streaming prediction, on a whole dock with real sandboxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import queue

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.client.dock import Dock
from learndock.client.values import Strategy
from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.package.build import SourceModel, build_package
from learndock.rkme.fit import build_specification
from learndock.v1 import reuse_service_pb2 as pb
from learndock.wire import tensor_from_message, tensor_to_message
from tests.support.dock import running_dock

DEADLY = 1e6
TIMES = """import os
import numpy as np
from learnware.model import BaseModel


class Model(BaseModel):
    def __init__(self, factor=1.0, mortal=False):
        super().__init__(input_shape=(3,), output_shape=(1,))
        self.factor, self.mortal = factor, mortal

    def predict(self, X):
        X = np.asarray(X)
        if self.mortal and (X == 1e6).any():
            os._exit(3)
        return self.factor * X.sum(axis=1)
"""


@pytest.fixture(scope="module")
def dock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dock]:
    with (
        running_dock(tmp_path_factory.mktemp("streams")) as running,
        Dock(running.address, running.admin_token) as dock,
    ):
        yield dock


def submitted(dock: Dock, folder: Path, factor: float, *, mortal: bool) -> str:
    semantic = SemanticSpecification(
        f"times {factor}",
        "The sum of a row, times a number.",
        "Table",
        "Regression",
        "Others",
        ("Others",),
        input=FeatureSpace(3),
        output=FeatureSpace(1),
    )
    rows = np.random.default_rng(0).normal(size=(100, 3))
    path = folder / f"{factor}.zip"
    model = SourceModel(TIMES, "Model", kwargs={"factor": factor, "mortal": mortal})
    build_package(path, model=model, semantic=semantic, specification=build_specification(rows))
    learnware_id = dock.submit(path).learnware_id
    validation = dock.wait_until_validated(learnware_id)
    assert validation.passed, validation
    return learnware_id


def test_the_rest_answers_the_batch_and_all_answer_the_next(dock: Dock, tmp_path: Path) -> None:
    mortal, steady = submitted(dock, tmp_path, 1.0, mortal=True), submitted(dock, tmp_path, 3.0, mortal=False)
    rows = np.arange(12.0).reshape(4, 3)
    sums = rows.sum(axis=1)
    with dock.reuse([mortal, steady], strategy=Strategy.AVERAGE) as reuser:
        answers = stream(dock, reuser.reuser.reuser_id, [rows, np.full((2, 3), DEADLY), rows])
    assert [answer.degraded for answer in answers] == [False, True, False]
    assert [[fault.learnware_id for fault in answer.faults] for answer in answers] == [[], [mortal], []]
    said = [tensor_from_message(answer.outputs, "outputs").reshape(-1) for answer in answers]
    assert said[0] == pytest.approx(2 * sums)
    assert said[1] == pytest.approx([9 * DEADLY] * 2)
    assert said[2] == pytest.approx(2 * sums)


def stream(dock: Dock, reuser_id: str, batches: list[NDArray[np.float64]]) -> list[pb.PredictStreamResponse]:
    """Answers, each batch sent only when the one before was answered."""
    sent: queue.SimpleQueue[pb.PredictStreamRequest | None] = queue.SimpleQueue()
    found = dock._reuse.PredictStream(iter(sent.get, None))
    answers = []
    for number, batch in enumerate(batches):
        sent.put(pb.PredictStreamRequest(reuser_id="" if number else reuser_id, rows=tensor_to_message(batch)))
        answers.append(next(found))
    sent.put(None)
    assert not list(found)
    return answers
