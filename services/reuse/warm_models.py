"""Models kept warm in sandboxes: started when they are needed, few at a time, started again when they died."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
import threading
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learndock.errors import Reason, ResourceExhausted
from learndock.reuse.member import Inputs
from learndock.sandbox.faults import FaultKind, ModelFault
from services.reuse.record import MemberRecord


class RunningModel(Protocol):
    """A loaded model in its sandbox."""

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one input item, None where the model tells none."""

    def predict(self, X: Inputs, timeout: float | None = None) -> object:  # noqa: N803
        """Outputs for a batch."""

    def close(self) -> None:
        """End the sandbox; also while a call is waiting, which then fails."""


OpenPackage = Callable[[Path], RunningModel]
HoldPackage = Callable[[MemberRecord], AbstractContextManager[Path]]
TakeSpare = Callable[[str], RunningModel | None]


def _none(_: str) -> None:
    return None


@dataclass(frozen=True)
class Allowance:
    """What warm models may take.

    Attributes
    ----------
    most
        How many may run at a time.
    predict_seconds
        Time for one batch; then the model is killed.
    life_seconds
        Age at which a sandbox is replaced by a fresh one.
    """

    most: int
    predict_seconds: float
    life_seconds: float


class WarmModel:
    """One member's model. Its sandbox belongs to one reuser alone: a shared one could carry one user's rows to another.

    Attributes
    ----------
    input_shape
        Shape of one input item, once the model was started and where it tells one.
    """

    def __init__(self, start: Callable[[], RunningModel], allowance: Allowance, crowd: Crowd) -> None:
        self._start = start
        self._allowance = allowance
        self._crowd = crowd
        self._lock = threading.Lock()
        self._running: RunningModel | None = None
        self._started_at = 0.0
        self._closed = False
        self.input_shape: tuple[int, ...] | None = None

    def open(self) -> None:
        """Start the sandbox if it is not running."""
        with self._lock:
            self._ensure()

    def predict(self, X: Inputs) -> NDArray[np.generic]:  # noqa: N803
        """Outputs for a batch. A sandbox found dead is started again, once.

        Raises
        ------
        ModelFault
            The model failed.
        ResourceExhausted
            Every place for a sandbox is taken by one at work.
        """
        with self._lock:
            try:
                return self._predict(X)
            except ModelFault as fault:
                if fault.kind is not FaultKind.EXITED:
                    raise
            return self._predict(X)

    def _predict(self, X: Inputs) -> NDArray[np.generic]:  # noqa: N803
        running = self._ensure()
        try:
            return np.asarray(running.predict(X, timeout=self._allowance.predict_seconds))
        except ModelFault as fault:
            if fault.kind is not FaultKind.RAISED:
                self._end()
            raise

    def _ensure(self) -> RunningModel:
        if self._closed:
            raise _ended()
        if self._running is not None and self._is_old():
            self._end()
        self._crowd.enter(self)
        return self._running or self._begin()

    def _begin(self) -> RunningModel:
        try:
            running = self._start()
        except BaseException:
            self._crowd.leave(self)
            raise
        self._running, self._started_at, self.input_shape = running, time.monotonic(), running.input_shape
        if self._closed:  # meanwhile, by somebody who saw nothing to end
            self._end()
            raise _ended()
        return running

    def _is_old(self) -> bool:
        return time.monotonic() - self._started_at > self._allowance.life_seconds

    def _end(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None
        self._crowd.leave(self)

    def rest(self) -> bool:
        """End the sandbox until the next call, unless a call is being served; whether it did."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._running is not None:
                self._running.close()
                self._running = None
        finally:
            self._lock.release()
        return True

    @property
    def awake(self) -> bool:
        """Whether its sandbox is running."""
        return self._running is not None

    def sleep(self) -> None:
        """End the sandbox until the next call and give its place back, unless a call is being served."""
        if self.rest():
            self._crowd.leave(self)

    def close(self) -> None:
        """End the sandbox for good; a call being served fails."""
        self._closed = True
        running = self._running
        if running is not None:
            running.close()
        self._crowd.leave(self)


def _ended() -> ModelFault:
    return ModelFault(FaultKind.EXITED, "The reuser has ended.")


class Crowd:
    """The models that are running; the one that was not used for longest rests when another needs its place.

    Parameters
    ----------
    most
        How many may run.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running: OrderedDict[WarmModel, None] = OrderedDict()

    def enter(self, model: WarmModel) -> None:
        """Take a place, or keep it as the one used last.

        Raises
        ------
        ResourceExhausted
            Every other model is at work (TOO_MANY_REQUESTS).
        """
        with self._lock:
            if model not in self._running and len(self._running) >= self._most:
                self._make_room()
            self._running[model] = None
            self._running.move_to_end(model)

    def leave(self, model: WarmModel) -> None:
        """Give the place back."""
        with self._lock:
            self._running.pop(model, None)

    def _make_room(self) -> None:
        for model in self._running:
            if model.rest():
                del self._running[model]
                return
        raise ResourceExhausted(Reason.TOO_MANY_REQUESTS, "Every sandbox is at work; try again.", retry_after=1.0)


class WarmModels:
    """Makes warm models of members.

    Parameters
    ----------
    hold
        Gives the package of a member, which stays until it was started.
    open_package
        Starts the model of a package in a sandbox.
    allowance
        What they may take together and each.
    take_spare
        Gives a model that its validation has left running, by the package's SHA-256, for the caller alone.
    """

    def __init__(
        self, hold: HoldPackage, open_package: OpenPackage, allowance: Allowance, take_spare: TakeSpare = _none
    ) -> None:
        self._hold = hold
        self._open_package = open_package
        self._take_spare = take_spare
        self._allowance = allowance
        self._crowd = Crowd(allowance.most)

    @property
    def predict_seconds(self) -> float:
        """Time that a model has for one batch."""
        return self._allowance.predict_seconds

    def of(self, member: MemberRecord) -> WarmModel:
        """The model of a member, not yet running."""
        return WarmModel(lambda: self._start(member), self._allowance, self._crowd)

    def _start(self, member: MemberRecord) -> RunningModel:
        spare = self._take_spare(member.sha256)
        if spare is not None:
            return spare
        with self._hold(member) as package:
            return self._open_package(package)
