"""Sandboxes made by a Kubernetes cluster: a Job each, with no network, no token and no rights, under gVisor."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
import shutil
import time
import uuid

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from learndock.errors import Reason, Unavailable
from learndock.sandbox.cluster import Cluster
from learndock.sandbox.confinement import GUEST_MOUNT, confined
from learndock.sandbox.executor import Limits, Mount
from learndock.sandbox.job_manifest import DEADLINE, GRACE_SECONDS, LABELS, NOT_HELD_HERE, OWNER, job_manifest
from learndock.sandbox.owner import is_dead
from learndock.sandbox.pod_process import PodProcess

_PROBE_SECONDS = 120.0


class KubernetesExecutor:
    """Runs commands in pods.

    Parameters
    ----------
    cluster
        Where.
    """

    name = "kubernetes"
    shares_kernel = False
    python = "/usr/bin/python3"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def available(self) -> str | None:
        """None when a sandbox can be started here, otherwise why not."""
        return self._obstacle

    @cached_property
    def _obstacle(self) -> str | None:
        cluster = self._cluster
        try:
            if cluster.runtime_class:
                client.NodeV1Api(self._client).read_runtime_class(cluster.runtime_class)
            if not self._traffic_is_denied():
                return f"No NetworkPolicy of the namespace {cluster.namespace} denies sandboxes all traffic."
            process = self.start(["/bin/true"], limits=Limits(wall_seconds=_PROBE_SECONDS))
            end = process.wait(_PROBE_SECONDS + GRACE_SECONDS)
        except (ApiException, HTTPError, config.ConfigException, Unavailable, TimeoutError, OSError) as error:
            return f"Kubernetes runs no sandboxes here: {_told(error)}."
        return None if end.status == 0 else f"Kubernetes cannot make a sandbox here: {process.log_tail()[-300:]}"

    def _traffic_is_denied(self) -> bool:
        """Whether a policy selects the sandboxes and allows nothing in either direction."""
        policies = client.NetworkingV1Api(self._client).list_namespaced_network_policy(self._cluster.namespace).items
        return any(
            not policy.spec.ingress
            and not policy.spec.egress
            and {"Ingress", "Egress"} <= set(policy.spec.policy_types or ())
            and not policy.spec.pod_selector.match_expressions
            and (policy.spec.pod_selector.match_labels or {}).items() <= LABELS.items()
            for policy in policies
        )

    @cached_property
    def _client(self) -> client.ApiClient:
        if self._cluster.host is not None:
            return client.ApiClient(client.Configuration(host=self._cluster.host))
        config.load_config()
        return client.ApiClient()

    @cached_property
    def _guest(self) -> Mount:
        """The guest, copied to where pods can read it."""
        folder = self._cluster.shared / "guest" / uuid.uuid4().hex
        shutil.copytree(GUEST_MOUNT.source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        return Mount(folder, GUEST_MOUNT.target)

    def start(self, command: Sequence[str], *, mounts: Sequence[Mount] = (), limits: Limits) -> PodProcess:
        """Start `command` in a new sandbox."""
        name = f"learndock-sandbox-{uuid.uuid4().hex[:16]}"
        manifest = job_manifest(
            name,
            confined(command, self.python, limits, without=NOT_HELD_HERE),
            image=self._cluster.image,
            runtime_class=self._cluster.runtime_class,
            claim=self._cluster.claim,
            folders=[(self._below(mount.source), mount.target) for mount in (self._guest, *mounts)],
            limits=limits,
        )
        try:
            client.BatchV1Api(self._client).create_namespaced_job(self._cluster.namespace, manifest)
            return PodProcess(self._client, self._cluster.namespace, name, limits)
        except (ApiException, HTTPError, TimeoutError, OSError) as error:
            raise Unavailable(Reason.NO_SANDBOX, f"The sandbox could not be started: {_told(error)}") from error

    def _below(self, folder: Path) -> str:
        """Path of a folder within the claim's volume."""
        try:
            return str(folder.resolve().relative_to(self._cluster.shared.resolve()))
        except ValueError:
            raise Unavailable(
                Reason.NO_SANDBOX, f"{folder} is not below {self._cluster.shared}, which sandboxes can read."
            ) from None

    def sweep(self) -> int:
        """Remove sandboxes whose owner is dead or whose time is over; returns how many there were."""
        batch = client.BatchV1Api(self._client)
        selector = ",".join(f"{name}={value}" for name, value in LABELS.items())
        try:
            jobs = batch.list_namespaced_job(self._cluster.namespace, label_selector=selector).items
            left = [job.metadata.name for job in jobs if _is_left_over(job.metadata.annotations or {})]
            for name in left:
                batch.delete_namespaced_job(name, self._cluster.namespace, propagation_policy="Background")
        except (ApiException, HTTPError):
            return 0  # the cluster ends them itself at their deadline
        return len(left)


def _is_left_over(notes: dict[str, str]) -> bool:
    deadline = notes.get(DEADLINE, "")
    return (deadline.isdigit() and time.time() > int(deadline)) or is_dead(notes.get(OWNER, ""))


def _told(error: Exception) -> str:
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)[:300]
