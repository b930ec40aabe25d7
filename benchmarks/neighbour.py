"""A neighbour's predictions while hostile packages are validated on the same machine.

Turns alone and turns beside a hostile package alternate, and the 99th percentile is taken over all turns of a kind. The
same is done with no package at all (`nothing`): what that ratio is away from 1, the machine does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learndock.errors import LearndockError
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import Limits
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess
from learndock.serving.process import take_short_turns
from services.validator.config import BACKGROUND_WEIGHT
from tests.support.hostile import GREEDY

FOES = ("fork bomb", "endless loop", "64 GiB of shared memory", "endless output", "disk filler")
NOTHING = "nothing"
_TURNS = 5
_LOOK_SECONDS = 0.2


def neighbour_figures(
    neighbour: ModelProcess, inputs: NDArray[np.float64], scratch: Path, executor: str, seconds: float
) -> dict[str, Any]:
    """How the p99 changes, for each hostile package and for none; `seconds` of each kind of turn in all."""
    take_short_turns()  # as every service does
    ratios, milliseconds, busy = {}, {}, []
    for name in (NOTHING, *FOES):
        alone, beside = [], []
        for _ in range(_TURNS):
            busy.append(_busy())
            alone.append(batch_seconds(neighbour, inputs, seconds / _TURNS))
            with attacking(scratch, executor, name) if name != NOTHING else nullcontext():
                beside.append(batch_seconds(neighbour, inputs, seconds / _TURNS))
        both = [float(np.quantile(np.concatenate(turns), 0.99)) for turns in (alone, beside)]
        milliseconds[name], ratios[name] = [1000 * each for each in both], both[1] / both[0]
    return {
        "neighbour_p99_ratio": max(ratios[name] for name in FOES),
        "neighbour_p99_ratio_of_nothing": ratios[NOTHING],
        "neighbour_p99_ratios": ratios,
        "neighbour_p99_milliseconds_alone_and_beside": milliseconds,
        "neighbour_processors_busy_with_other_work": float(np.mean(busy)),
    }


@contextmanager
def attacking(scratch: Path, executor: str, name: str) -> Iterator[None]:
    """One hostile model at work, as a validation runs it, again and again."""
    path = GREEDY[name].build(scratch, name.replace(" ", "-"))
    limits = Limits(memory_bytes=256 * 2**20, cpu_weight=BACKGROUND_WEIGHT, wall_seconds=60.0)
    launcher = LearnwareLauncher(
        choose_executor(executor), EnvironmentCache(scratch / "environments"), scratch / "foes", limits
    )
    stopping = threading.Event()
    at_work: list[ModelProcess] = []

    def attack() -> None:
        while not stopping.is_set():
            try:
                with launcher.open(path) as model:
                    at_work[:] = [model]
                    model.predict(np.zeros((5, 3)), 3.0)
            except LearndockError:
                continue

    thread = threading.Thread(target=attack)
    thread.start()
    try:
        time.sleep(1.0)  # until it is loaded
        yield
    finally:
        stopping.set()
        for model in at_work:
            model.close()
        thread.join()


def batch_seconds(model: ModelProcess, inputs: NDArray[np.float64], seconds: float) -> list[float]:
    """Time of each batch."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 20:
        started = time.perf_counter()
        model.predict(inputs)
        times.append(time.perf_counter() - started)
    return times


def _busy() -> float:
    """Part of the processors that is busy while this program waits."""
    idle, total = _processor_ticks()
    time.sleep(_LOOK_SECONDS)
    still_idle, in_all = _processor_ticks()
    return 1 - (still_idle - idle) / max(1, in_all - total)


def _processor_ticks() -> tuple[int, int]:
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
