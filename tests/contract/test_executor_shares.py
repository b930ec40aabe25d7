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


def test_processors_go_to_whom_weighs_more(executor: Executor) -> None:
    code = """
        import os, sys, time
        print("ready", flush=True)
        sys.stdin.readline()
        for _ in range(os.cpu_count()):
            if os.fork() == 0:
                end = time.monotonic() + 3
                while time.monotonic() < end:
                    pass
                os._exit(0)
        for _ in range(os.cpu_count()):
            os.wait()
        print(os.times().children_user)
    """
    command = [executor.python, "-I", "-c", textwrap.dedent(code)]
    processes = [executor.start(command, limits=limits(weight)) for weight in (1.0, 0.1)]
    try:
        assert {process.read(6, Deadline(PATIENCE)) for process in processes} == {b"ready\n"}
        for process in processes:
            process.write(b"go\n", Deadline(PATIENCE))
        heavy, light = (float(process.read(100, Deadline(PATIENCE))) for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.wait(PATIENCE)
    assert heavy > 2 * light


def limits(weight: float) -> Limits:
    """Room for as many busy processes as there are processors."""
    return Limits(wall_seconds=40.0, cpus=float(os.cpu_count() or 1), cpu_weight=weight)
