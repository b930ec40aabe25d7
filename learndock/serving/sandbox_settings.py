"""Settings of the services that run models."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from learndock.sandbox.cluster import Cluster
from learndock.serving.config import ServiceSettings


class SandboxSettings(ServiceSettings):
    """What a service that runs models can be told of where they run."""

    executor: str = Field(
        default="auto", description="Where models run: auto, docker, gvisor, bubblewrap or kubernetes."
    )
    kubernetes_namespace: str = Field(
        default="learndock-sandboxes", description="Namespace of the sandboxes' Jobs, for the executor kubernetes."
    )
    kubernetes_image: str = Field(default="learndock/sandbox:latest", description="Image of the sandboxes' pods.")
    kubernetes_runtime_class: str = Field(
        default="gvisor", description="RuntimeClass of the pods; empty for the nodes' own, which shares their kernel."
    )
    kubernetes_claim: str = Field(
        default="learndock-sandboxes", description="PersistentVolumeClaim that holds KUBERNETES_SHARED_DIR."
    )
    kubernetes_shared_dir: Path | None = Field(
        default=None,
        description="Where the claim's volume is mounted here; data folder and environments must lie below.",
    )

    @property
    def cluster(self) -> Cluster | None:
        """Where in a cluster models run, if that was told."""
        if self.kubernetes_shared_dir is None:
            return None
        return Cluster(
            namespace=self.kubernetes_namespace,
            image=self.kubernetes_image,
            runtime_class=self.kubernetes_runtime_class,
            claim=self.kubernetes_claim,
            shared=self.kubernetes_shared_dir,
        )
