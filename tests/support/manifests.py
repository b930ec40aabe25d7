"""Kubernetes manifests as a cluster gets them: every combination of components, rendered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
import os
from pathlib import Path
import subprocess
import sys
import tempfile
from typing import Any

import yaml

from tests.support.dock import ROOT

K8S = ROOT / "deploy" / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))
Manifest = Mapping[str, Any]

# One of each line, in this order; then those that may be left out.
_DATABASES = (
    ("database", "postgres"),
    ("database", "postgres-external"),
    ("database", "database-replica", "postgres-external"),
)
_OBJECT_STORES = (("minio",), ("object-store-external",))
_SANDBOXES = (("sandbox-in-pod",), ("sandbox-jobs",))
_OPTIONS = (
    "migration",
    "gateway",
    "console-replicas",
    "tracing",
    "ray-scoring",
    "index-copies",
    "tls",
    "tls-certificates",
    "tls-gateway",
)
_WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob", "RayCluster")


def combinations() -> Iterator[tuple[str, ...]]:
    """Components that go together: every choice with no option and with all of them, and each option alone."""
    for database, store, sandbox, options in product(_DATABASES, _OBJECT_STORES, _SANDBOXES, ((), _OPTIONS)):
        yield (*database, "backup", *store, *sandbox, *options)
    for option in (*_OPTIONS, "gpu-scoring"):  # the last does not go with shards on Ray
        yield (*_DATABASES[0], "backup", *_OBJECT_STORES[0], option)


@cache
def overlay(name: str) -> Sequence[Manifest]:
    """Manifests of an overlay."""
    return render(K8S / "overlays" / name)


@cache
def combined(components: tuple[str, ...]) -> Sequence[Manifest]:
    """Manifests of the base with some components."""
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.relpath(K8S, os.path.realpath(folder))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [f"{root}/base"],
            "components": [f"{root}/components/{component}" for component in components],
        }
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return render(Path(folder))


def render(folder: Path) -> Sequence[Manifest]:
    """What `kubectl kustomize` makes of a folder."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # warnings are of things that go away
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@dataclass(frozen=True)
class Pod:
    """What a workload starts.

    Attributes
    ----------
    owner
        Kind and name of the workload.
    name
        Its label ``app.kubernetes.io/name``.
    """

    owner: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        """All containers, those that only begin included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ports(self) -> Mapping[str, int]:
        """Numbers of named ports."""
        return {p["name"]: p["containerPort"] for container in self.containers for p in container.get("ports", ())}

    @property
    def variables(self) -> Sequence[Mapping[str, Any]]:
        """Environment of all containers."""
        return [variable for container in self.containers for variable in container.get("env", ())]


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> Iterator[Manifest]:
    """Manifests of some kinds."""
    return (manifest for manifest in manifests if manifest["kind"] in kinds)


def pods(manifests: Sequence[Manifest]) -> list[Pod]:
    """What all workloads start."""
    return [
        Pod(
            f"{manifest['kind']} {manifest['metadata']['name']}",
            template["metadata"]["labels"]["app.kubernetes.io/name"],
            manifest["metadata"]["namespace"],
            template["metadata"]["labels"],
            template["spec"],
        )
        for manifest in of_kind(manifests, *_WORKLOADS)
        for template in _templates(manifest)
    ]


def _templates(manifest: Manifest) -> Iterator[Manifest]:
    spec = manifest["spec"]
    if manifest["kind"] == "RayCluster":
        yield from (group["template"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]))
    else:
        yield (spec["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else spec)["template"]
