"""Which executor a machine offers."""

from __future__ import annotations

from collections.abc import Iterator

from learndock.errors import FailedPrecondition, Reason
from learndock.sandbox.executor import Executor

AUTO, DOCKER, GVISOR, BUBBLEWRAP = "auto", "docker", "gvisor", "bubblewrap"


def choose_executor(preference: str = AUTO) -> Executor:
    """The best executor that works here: docker where an engine answers, otherwise bubblewrap.

    Parameters
    ----------
    preference
        `auto`, or one by its name: `docker`, `gvisor` or `bubblewrap`.

    Raises
    ------
    FailedPrecondition
        NO_SANDBOX: none works; the message tells what to install. There is none without isolation.
    """
    obstacles = []
    for executor in _candidates(preference):
        obstacle = executor.available()
        if obstacle is None:
            return executor
        obstacles.append(obstacle)
    raise FailedPrecondition(Reason.NO_SANDBOX, " ".join(obstacles) or f"There is no executor named {preference!r}.")


def _candidates(preference: str) -> Iterator[Executor]:
    if preference in (AUTO, DOCKER):
        from learndock.sandbox.docker import DockerExecutor

        yield DockerExecutor()
    if preference == GVISOR:
        from learndock.sandbox.docker import GVISOR_RUNTIME, DockerExecutor

        yield DockerExecutor(runtime=GVISOR_RUNTIME)
    if preference in (AUTO, BUBBLEWRAP):
        from learndock.sandbox.bubblewrap import BubblewrapExecutor

        yield BubblewrapExecutor()
