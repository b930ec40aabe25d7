"""Models that wait after their validation: each for one taker, few, and not for long."""

from __future__ import annotations

from dataclasses import replace
import threading

from learndock.sandbox.executor import Limits
from learndock.sandbox.spare import SpareModels, Terms

VALIDATION = Terms("auto", Limits(wall_seconds=300.0, cpu_weight=0.1))
REUSE = Terms("auto", Limits(wall_seconds=3600.0, cpu_weight=1.0))


class Model:
    """Stands for a sandbox, and remembers what became of it."""

    def __init__(self, *, can_be_weighed: bool = True) -> None:
        self.weight = 0.1
        self.closed = threading.Event()
        self._can_be_weighed = can_be_weighed

    def weigh(self, cpu_weight: float) -> bool:
        self.weight = cpu_weight
        return self._can_be_weighed

    def close(self) -> None:
        self.closed.set()


def spare(most: int = 2, idle_seconds: float = 60.0) -> SpareModels[Model]:
    return SpareModels(most=most, idle_seconds=idle_seconds, life_seconds=100.0)


def test_it_is_taken_once_and_then_weighs_what_its_taker_says() -> None:
    waiting, model = spare(), Model()
    waiting.offer("a", model, VALIDATION)
    assert waiting.take("b", REUSE) is None
    assert waiting.take("a", REUSE) is model
    assert (model.weight, model.closed.is_set()) == (1.0, False)
    assert waiting.take("a", REUSE) is None


def test_one_that_was_started_otherwise_is_not_taken() -> None:
    for other in (Terms("gvisor", REUSE.limits), Terms("auto", replace(REUSE.limits, memory_bytes=1))):
        waiting, model = spare(), Model()
        waiting.offer("a", model, VALIDATION)
        assert waiting.take("a", other) is None
        assert model.closed.is_set()


def test_one_that_would_go_on_yielding_is_not_taken() -> None:
    waiting, model = spare(), Model(can_be_weighed=False)
    waiting.offer("a", model, VALIDATION)
    assert waiting.take("a", REUSE) is None
    assert model.closed.is_set()


def test_the_one_that_waits_for_longest_makes_room() -> None:
    waiting, models = spare(most=2), {name: Model() for name in "abc"}
    for name, model in models.items():
        waiting.offer(name, model, VALIDATION)
    assert [name for name, model in models.items() if model.closed.is_set()] == ["a"]
    assert waiting.take("c", REUSE) is models["c"]


def test_a_later_one_of_the_same_package_takes_its_place() -> None:
    waiting, first, second = spare(), Model(), Model()
    waiting.offer("a", first, VALIDATION)
    waiting.offer("a", second, VALIDATION)
    assert (first.closed.is_set(), waiting.take("a", REUSE)) == (True, second)


def test_nobody_waits_for_ever() -> None:
    waiting, model = spare(idle_seconds=0.05), Model()
    waiting.offer("a", model, VALIDATION)
    assert model.closed.wait(30.0)
    assert waiting.take("a", REUSE) is None


def test_one_that_was_taken_stays() -> None:
    waiting, model = spare(idle_seconds=0.05), Model()
    waiting.offer("a", model, VALIDATION)
    assert waiting.take("a", REUSE) is model
    assert not model.closed.wait(0.3)


def test_closing_ends_all_and_those_that_come_later() -> None:
    waiting, before, after = spare(), Model(), Model()
    waiting.offer("a", before, VALIDATION)
    waiting.close()
    waiting.offer("b", after, VALIDATION)
    assert (before.closed.is_set(), after.closed.is_set(), waiting.take("b", REUSE)) == (True, True, None)
