"""Where in a Kubernetes cluster sandboxes are made; kept apart from the executor, which needs the cluster's client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """A place for sandboxes in a cluster.

    Attributes
    ----------
    namespace
        Namespace of the Jobs; a NetworkPolicy there must deny the sandboxes all traffic.
    image
        Image to run them in, made by `deploy/docker/sandbox-image.sh` and known to the nodes.
    runtime_class
        RuntimeClass of the pods; empty for the nodes' default, which shares their kernel.
    claim
        PersistentVolumeClaim of that namespace which holds `shared`, for the pods to read.
    shared
        Where this program sees the claim's volume: packages and environments must lie below.
    host
        Address of the API server; None for the one of the pod or kubeconfig at hand.
    """

    namespace: str
    image: str
    runtime_class: str
    claim: str
    shared: Path
    host: str | None = None
