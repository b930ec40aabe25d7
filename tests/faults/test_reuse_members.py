"""Members that hang, crash or talk nonsense midway: the answer comes in time, is marked, and right for the rest."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.learnware import FeatureSpace, SemanticSpecification
from learndock.reuse.auto import AutoReuser
from learndock.reuse.average import AverageReuser
from learndock.reuse.labelled import LabelledReuser, PruningReuser, StackingReuser
from learndock.reuse.member import Member

Array = NDArray[np.float64]
TIMEOUT = 0.5
X = np.random.default_rng(0).normal(size=(40, 3))
TRUTH = X.sum(axis=1)


class Sum:
    """Right until it is told to misbehave."""

    def __init__(self) -> None:
        self.behaviour = "right"
        self.released = threading.Event()

    def predict(self, X: Array) -> object:
        if self.behaviour == "hangs":
            self.released.wait(60)
        if self.behaviour == "crashes":
            raise ConnectionResetError("the process is gone")
        return {"NaN": np.full(len(X), np.nan), "too few": np.zeros(1), "words": np.array(["a"] * len(X))}.get(
            self.behaviour, X.sum(axis=1)
        )


def member(name: str) -> Member:
    semantic = SemanticSpecification("name", "", "Table", "Regression", "Others", ("Others",), output=FeatureSpace(1))
    return Member(Sum(), None, semantic, 1.0, name)


@pytest.mark.parametrize("behaviour", ["hangs", "crashes", "NaN", "too few", "words"])
@pytest.mark.parametrize("kind", [AverageReuser, StackingReuser, PruningReuser, AutoReuser], ids=lambda k: k.__name__)
def test_the_others_answer(kind: type[AverageReuser | LabelledReuser], behaviour: str) -> None:
    bad, good = member("bad"), member("good")
    reuser = kind((bad, good), timeout=TIMEOUT).fit(X, TRUTH)
    assert not reuser.answer(X).degraded
    assert isinstance(bad.model, Sum)
    bad.model.behaviour = behaviour
    prediction = reuser.answer(X)
    bad.model.released.set()
    assert [fault.learnware_id for fault in prediction.faults] == ["bad"]
    assert prediction.outputs == pytest.approx(TRUTH, abs=0.2)
    bad.model.behaviour = "right"
    assert not reuser.answer(X).degraded


def test_one_that_fails_on_the_labelled_rows_counts_for_nothing_then() -> None:
    bad, good = member("bad"), member("good")
    assert isinstance(bad.model, Sum)
    bad.model.behaviour = "crashes"
    reuser = StackingReuser((bad, good), timeout=TIMEOUT).fit(X, TRUTH)
    assert [fault.learnware_id for fault in reuser.fit_faults_.values()] == ["bad"]
    assert reuser.answer(X).outputs == pytest.approx(TRUTH)
