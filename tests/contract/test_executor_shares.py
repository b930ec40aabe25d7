"""Who gets the processors when several sandboxes want them, on every executor."""

from __future__ import annotations

import os
import textwrap

import pytest

from learndock.sandbox.executor import Deadline, Executor, Limits
from tests.support.executors import EXECUTORS

PATIENCE = 60.0


@pytest.fixture(scope="module", params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    made: Executor = request.param()
    assert made.available() is None
    return made


# What gVisor counts as processor time goes on while a sandbox waits for a processor, so rounds are counted.
WORK = """
    import os, sys, time
    print("ready", flush=True)
    sys.stdin.readline()
    told, tell = os.pipe()
    for _ in range(os.cpu_count()):
        if os.fork() == 0:
            end, rounds = time.monotonic() + 3, 0
            while time.monotonic() < end:
                sum(range(10_000))
                rounds += 1
            os.write(tell, b"%d\\n" % rounds)
            os._exit(0)
    os.close(tell)
    print(sum(map(int, os.fdopen(told))))
"""


def test_processors_go_to_whom_weighs_more(executor: Executor) -> None:
    heavy, light = rounds_done(executor, (1.0, 0.1))
    assert heavy > 2 * light


def test_a_sandbox_can_be_made_to_weigh_more(executor: Executor) -> None:
    if executor.name == "gvisor":
        pytest.skip("gVisor's runtime may refuse, and then it is told")
    first, second = rounds_done(executor, (0.1, 0.1), weigh_first=1.0)
    assert first > 2 * second


def test_one_that_has_ended_cannot(executor: Executor) -> None:
    process = executor.start(["/bin/true"], limits=limits(0.1))
    process.wait(PATIENCE)
    assert not process.weigh(1.0)


def rounds_done(executor: Executor, weights: tuple[float, ...], weigh_first: float | None = None) -> tuple[int, ...]:
    """How much work sandboxes of these weights do, side by side."""
    command = [executor.python, "-I", "-c", textwrap.dedent(WORK)]
    processes = [executor.start(command, limits=limits(weight)) for weight in weights]
    try:
        assert {process.read(6, Deadline(PATIENCE)) for process in processes} == {b"ready\n"}
        if weigh_first is not None:
            assert processes[0].weigh(weigh_first)
        for process in processes:
            process.write(b"go\n", Deadline(PATIENCE))
        return tuple(int(process.read(100, Deadline(PATIENCE))) for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.wait(PATIENCE)


def limits(weight: float) -> Limits:
    """Room for as many busy processes as there are processors."""
    return Limits(wall_seconds=40.0, cpus=float(os.cpu_count() or 1), cpu_weight=weight)
