"""Models that were validated and wait, loaded, for the first who reuses them: nothing has to be started again.

Such a model has seen the specification's atoms and random rows, and nobody's data. It is given away once and for good,
so that what a model may remember of one caller never meets another.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
import threading
from typing import Generic, Protocol, TypeVar

from learndock.sandbox.executor import Limits


class Weighable(Protocol):
    """A loaded model."""

    def weigh(self, cpu_weight: float) -> bool:
        """Give its sandbox another part of busy processors; whether that could be done."""

    def close(self) -> None:
        """End it."""


Model = TypeVar("Model", bound=Weighable)


@dataclass(frozen=True)
class Terms:
    """What a sandbox is; a model goes only to whoever would have started it in the same way.

    Attributes
    ----------
    executor
        As it is set, such as `auto`.
    limits
        What it may use; its life and its part of the processors are no matter, as they change with whom it serves.
    """

    executor: str
    limits: Limits

    def suit(self, other: Terms) -> bool:
        """Whether a sandbox of these terms can serve in place of one of the others."""
        return self.executor == other.executor and _lasting(self.limits) == _lasting(other.limits)


def _lasting(limits: Limits) -> Limits:
    return replace(limits, wall_seconds=0.0, cpu_weight=1.0)


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Model]):
    model: Model
    terms: Terms
    end: threading.Timer


class SpareModels(Generic[Model]):
    """A few models, each for a while.

    Parameters
    ----------
    most
        How many may wait; the one that waits for longest makes room.
    idle_seconds
        Time after which one that nobody wanted is ended.
    life_seconds
        Time that one may serve after it was taken.

    Attributes
    ----------
    extra_seconds
        How much longer than for its validation a sandbox must be let live.
    """

    def __init__(self, *, most: int, idle_seconds: float, life_seconds: float) -> None:
        self._most = most
        self._idle_seconds = idle_seconds
        self.extra_seconds = idle_seconds + life_seconds
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, _Waiting[Model]] = OrderedDict()
        self._closed = False

    def offer(self, sha256: str, model: Model, terms: Terms) -> None:
        """Let a model of the package `sha256` wait, or end it when there is no use for it."""
        end = threading.Timer(self._idle_seconds, self._expire, (sha256, model))
        end.daemon = True
        with self._lock:
            leaving = [self._waiting.pop(sha256)] if sha256 in self._waiting else []
            self._waiting[sha256] = _Waiting(model, terms, end)
            end.start()
            while self._waiting and (self._closed or len(self._waiting) > self._most):
                leaving.append(self._waiting.popitem(last=False)[1])
        _end(leaving)

    def take(self, sha256: str, terms: Terms) -> Model | None:
        """The model of the package `sha256`, for the caller alone, weighing what `terms` say; None when none suits."""
        with self._lock:
            found = self._waiting.pop(sha256, None)
        if found is None:
            return None
        found.end.cancel()
        if found.terms.suit(terms) and found.model.weigh(terms.limits.cpu_weight):
            return found.model
        found.model.close()
        return None

    def close(self) -> None:
        """End all, and those that come later at once."""
        with self._lock:
            self._closed = True
            leaving = list(self._waiting.values())
            self._waiting.clear()
        _end(leaving)

    def _expire(self, sha256: str, model: Model) -> None:
        with self._lock:
            found = self._waiting.get(sha256)
            if found is None or found.model is not model:
                return
            del self._waiting[sha256]
        model.close()


def _end(leaving: list[_Waiting[Model]]) -> None:
    for each in leaving:
        each.end.cancel()
        each.model.close()
