"""Settings of the services that run models."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from learndock.sandbox.cluster import Cluster
from learndock.sandbox.environment import DEFAULT_CONSTRAINTS, DEFAULT_MAX_BYTES
from learndock.sandbox.pins import PinPolicy
from learndock.serving.config import ServiceSettings


class SandboxSettings(ServiceSettings):
    """What a service that runs models can be told of where they run, and with what."""

    data_dir: Path  # each service has its own default
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

    environments_dir: Path | None = Field(
        default=None,
        description="Folder of installed requirements, which services may share; default in the data folder.",
    )
    constraints: tuple[str, ...] = Field(
        default=DEFAULT_CONSTRAINTS, description="Bounds on the versions of requirements, in pip's words."
    )
    max_environments_bytes: int = Field(
        default=DEFAULT_MAX_BYTES,
        ge=0,
        description="Size of all installed requirements; beyond it those not used for longest go.",
    )
    pins: PinPolicy = Field(
        default=PinPolicy.KEEP_PINS,
        description="For versions that cannot be had: KEEP_PINS refuses the package, RELAX_PINS takes the nearest.",
    )
    memory_mib: int = Field(default=2048, ge=64, description="Memory of one sandbox, in MiB.")

    @property
    def environments(self) -> Path:
        """Folder of installed requirements in use."""
        return self.environments_dir or self.data_dir / "environments"

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
