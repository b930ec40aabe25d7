"""Models kept warm: started late, started again, few at a time."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
import threading
from typing import Never

import numpy as np
from numpy.typing import NDArray
import pytest

from learndock.errors import Reason, ResourceExhausted
from learndock.learnware import SemanticSpecification
from learndock.sandbox.faults import FaultKind, ModelFault
from services.reuse.record import MemberRecord
from services.reuse.warm_models import Allowance, WarmModel, WarmModels

SEMANTIC = SemanticSpecification("name", "description", "Table", "Classification", "Others", ("Others",))
ROWS = np.zeros((2, 3))


class Sandbox:
    """A running model that can be made to fail."""

    input_shape = (3,)

    def __init__(self) -> None:
        self.closed = False
        self.dies = False
        self.fault = None
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, X: NDArray[np.float64], timeout: float | None = None) -> NDArray[np.generic]:
        self.entered.set()
        self.gate.wait(60)
        if self.closed or self.dies:
            raise ModelFault(FaultKind.EXITED, "it is dead")
        if self.fault:
            raise ModelFault(self.fault, "it failed")
        return np.ones(len(X))

    def close(self) -> None:
        self.closed = True


class Machine:
    """Where sandboxes are started."""

    def __init__(self, most: int = 10, life_seconds: float = 1000.0) -> None:
        self.started = []
        self.models = WarmModels(
            lambda member: nullcontext(Path(member.learnware_id)), self.open, Allowance(most, 1.0, life_seconds)
        )

    def open(self, _package: Path) -> Sandbox:
        self.started.append(Sandbox())
        return self.started[-1]

    def model(self, name: str = "one") -> WarmModel:
        return self.models.of(MemberRecord(name, 1, "0" * 64, 1.0, SEMANTIC, None))


def test_starts_with_the_first_rows_and_stays() -> None:
    machine = Machine()
    model = machine.model()
    assert not machine.started
    assert model.predict(ROWS).tolist() == [1, 1]
    model.predict(ROWS)
    assert len(machine.started) == 1
    assert model.input_shape == (3,)


def test_a_dead_sandbox_is_started_again() -> None:
    machine = Machine()
    model = machine.model()
    model.open()
    machine.started[0].dies = True
    assert model.predict(ROWS).tolist() == [1, 1]
    assert machine.started[0].closed
    assert len(machine.started) == 2


def test_but_only_once() -> None:
    machine = Machine()
    model = machine.model()
    model.open()
    machine.started[0].dies = True

    class Dying(Sandbox):
        def predict(self, X: NDArray[np.float64], timeout: float | None = None) -> Never:
            raise ModelFault(FaultKind.EXITED, "it is dead again")

    machine.models._open_package = lambda _package: Dying()
    with pytest.raises(ModelFault, match="again"):
        model.predict(ROWS)


def test_a_model_that_raises_keeps_its_sandbox() -> None:
    machine = Machine()
    model = machine.model()
    model.open()
    machine.started[0].fault = FaultKind.RAISED
    with pytest.raises(ModelFault):
        model.predict(ROWS)
    assert not machine.started[0].closed


def test_a_model_that_was_too_slow_gets_a_fresh_sandbox_next_time() -> None:
    machine = Machine()
    model = machine.model()
    model.open()
    machine.started[0].fault = FaultKind.TIMED_OUT
    with pytest.raises(ModelFault):
        model.predict(ROWS)
    assert machine.started[0].closed
    assert model.predict(ROWS).tolist() == [1, 1]


def test_an_old_sandbox_is_replaced() -> None:
    machine = Machine(life_seconds=-1.0)
    model = machine.model()
    model.open()
    model.predict(ROWS)
    assert [sandbox.closed for sandbox in machine.started] == [True, False]


def test_the_one_not_used_for_longest_makes_room() -> None:
    machine = Machine(most=2)
    first, second, third = machine.model("1"), machine.model("2"), machine.model("3")
    first.open()
    second.open()
    first.predict(ROWS)
    third.open()
    assert [sandbox.closed for sandbox in machine.started] == [False, True, False]
    assert second.predict(ROWS).tolist() == [1, 1]
    assert len(machine.started) == 4


def test_one_at_work_is_not_disturbed() -> None:
    machine = Machine(most=1)
    busy, other = machine.model("busy"), machine.model("other")
    busy.open()
    machine.started[0].gate.clear()
    thread = threading.Thread(target=busy.predict, args=(ROWS,))
    thread.start()
    machine.started[0].entered.wait(60)
    with pytest.raises(ResourceExhausted) as caught:
        other.predict(ROWS)
    machine.started[0].gate.set()
    thread.join()
    assert caught.value.reason is Reason.TOO_MANY_REQUESTS
    assert not machine.started[0].closed


def test_a_start_that_fails_gives_its_place_back() -> None:
    machine = Machine(most=1)
    failing, good = machine.model("failing"), machine.model("good")

    def refuse(_package: Path) -> Never:
        raise ModelFault(FaultKind.RAISED, "cannot be loaded")

    machine.models._open_package = refuse
    with pytest.raises(ModelFault):
        failing.open()
    machine.models._open_package = machine.open
    assert good.predict(ROWS).tolist() == [1, 1]


def test_a_closed_model_never_starts_again() -> None:
    machine = Machine()
    model = machine.model()
    model.open()
    model.close()
    assert machine.started[0].closed
    with pytest.raises(ModelFault):
        model.predict(ROWS)
    assert len(machine.started) == 1
