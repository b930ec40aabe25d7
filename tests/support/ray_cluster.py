"""Two Ray nodes on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

from ray.cluster_utils import Cluster
from tenacity import retry, stop_after_attempt

_NODES = 2
_STORE_BYTES = 128 * 2**20


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Nodes of two processors each, until the block ends; gives the address."""
    cluster = _started()
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


@retry(stop=stop_after_attempt(3), reraise=True)  # Ray gives a node thirty seconds to start, whatever the machine does
def _started() -> Cluster:
    node = {"num_cpus": 2, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster = Cluster()
    try:
        for _ in range(_NODES):
            cluster.add_node(**node)
    except BaseException:
        cluster.shutdown()
        raise
    return cluster
