"""Two Ray nodes on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine may need it

from ray.cluster_utils import Cluster

_NODES = 2
_STORE_BYTES = 128 * 2**20


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Nodes of two processors each, until the block ends; gives the address."""
    node = {"num_cpus": 2, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        for _ in range(_NODES - 1):
            cluster.add_node(**node)
        yield cluster.address
    finally:
        cluster.shutdown()
