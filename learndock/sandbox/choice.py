"""Which executor a machine offers."""

from __future__ import annotations

from collections.abc import Iterator

from learndock.errors import FailedPrecondition, Reason
from learndock.sandbox.cluster import Cluster
from learndock.sandbox.executor import Executor

AUTO, DOCKER, GVISOR, BUBBLEWRAP, KUBERNETES = "auto", "docker", "gvisor", "bubblewrap", "kubernetes"


def choose_executor(preference: str = AUTO, cluster: Cluster | None = None) -> Executor:
    """The best executor that works here: docker where an engine answers, otherwise bubblewrap.

    Parameters
    ----------
    preference
        `auto`, or one by its name: `docker`, `gvisor`, `bubblewrap` or `kubernetes`.
    cluster
        Where `kubernetes` runs them.

    Raises
    ------
    FailedPrecondition
        NO_SANDBOX: none works; the message tells what to install. There is none without isolation.
    """
    obstacles = []
    for executor in _candidates(preference, cluster):
        obstacle = executor.available()
        if obstacle is None:
            return executor
        obstacles.append(obstacle)
    raise FailedPrecondition(Reason.NO_SANDBOX, " ".join(obstacles) or f"There is no executor {preference!r} here.")


def _candidates(preference: str, cluster: Cluster | None) -> Iterator[Executor]:
    if preference in (AUTO, DOCKER):
        from learndock.sandbox.docker import DockerExecutor

        yield DockerExecutor()
    if preference == GVISOR:
        from learndock.sandbox.docker import GVISOR_RUNTIME, DockerExecutor

        yield DockerExecutor(runtime=GVISOR_RUNTIME)
    if preference == KUBERNETES and cluster is not None:
        from learndock.sandbox.kubernetes import KubernetesExecutor

        yield KubernetesExecutor(cluster)
    if preference in (AUTO, BUBBLEWRAP):
        from learndock.sandbox.bubblewrap import BubblewrapExecutor

        yield BubblewrapExecutor()
