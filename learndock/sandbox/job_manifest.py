"""The Job of one sandbox, as Kubernetes' restricted PodSecurity wants it and tighter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import math
import time
from typing import Any

from learndock.sandbox.confinement import ENVIRONMENT, USER
from learndock.sandbox.executor import MIB, Limits
from learndock.sandbox.owner import own_mark

LABELS: Mapping[str, str] = {"app.kubernetes.io/part-of": "learndock", "app.kubernetes.io/component": "sandbox"}
"""What a NetworkPolicy selects sandboxes by."""

OWNER, DEADLINE = "learndock.dev/owner", "learndock.dev/deadline"

NOT_HELD_HERE = frozenset({"NPROC", "MSGQUEUE"})
"""Limits that a kernel shared by pods would count for all of them together, or that gVisor does not know."""

GRACE_SECONDS = 10

# Nothing may come before the host listens: the first line it sends lets the command begin.
_WAIT_FOR_HOST = ("/bin/sh", "-c", 'read -r go; exec "$@"', "sh")
_SHARED_MEMORY_BYTES = 64 * MIB
_NOBODY_ANSWERS = "127.0.0.1"


def job_manifest(
    name: str,
    command: Sequence[str],
    *,
    image: str,
    runtime_class: str,
    claim: str,
    folders: Sequence[tuple[str, str]],
    limits: Limits,
) -> dict[str, Any]:
    """The Job.

    Parameters
    ----------
    name
        Its name, and that of its pod's container.
    command
        What to run.
    image, runtime_class, claim
        As of `learndock.sandbox.kubernetes.Cluster`.
    folders
        Paths within the claim's volume, and where the sandbox sees each.
    limits
        What it may use.
    """
    seconds = math.ceil(limits.wall_seconds) + GRACE_SECONDS
    labels = {**LABELS, "learndock.dev/sandbox": name}
    notes = {OWNER: own_mark(), DEADLINE: str(int(time.time()) + seconds)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels, "annotations": notes},
        "spec": {
            "activeDeadlineSeconds": seconds,
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 60,
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(command, image, runtime_class, claim, folders, limits),
            },
        },
    }


def _pod(
    command: Sequence[str],
    image: str,
    runtime_class: str,
    claim: str,
    folders: Sequence[tuple[str, str]],
    limits: Limits,
) -> dict[str, Any]:
    return {
        **({"runtimeClassName": runtime_class} if runtime_class else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": [_NOBODY_ANSWERS]},
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(command, image, folders, limits)],
        "volumes": [
            _memory_volume("tmp", limits.tmp_bytes),
            _memory_volume("shm", _SHARED_MEMORY_BYTES),
            {"name": "shared", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}},
        ],
    }


def _container(
    command: Sequence[str], image: str, folders: Sequence[tuple[str, str]], limits: Limits
) -> dict[str, Any]:
    memory = str(limits.memory_bytes)
    return {
        "name": "sandbox",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*_WAIT_FOR_HOST, *command],
        "env": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
        "workingDir": "/tmp",  # noqa: S108  # the sandbox's own
        "stdin": True,
        "stdinOnce": True,
        "resources": {
            "limits": {"cpu": str(limits.cpus), "memory": memory, "ephemeral-storage": "64Mi"},
            "requests": {
                "cpu": str(round(min(limits.cpus, limits.cpu_weight * limits.cpus), 3)),
                "memory": memory,
                "ephemeral-storage": "64Mi",
            },
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
            *({"name": "shared", "mountPath": target, "subPath": path, "readOnly": True} for path, target in folders),
        ],
    }


def _memory_volume(name: str, size: int) -> dict[str, Any]:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}}
