"""The cluster's executor against a server that speaks the endpoints it needs; no cluster is at hand, so that what a
kubelet, gVisor and a network plugin do is not shown here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock.errors import Unavailable
from learndock.sandbox.cluster import Cluster
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.executor import MIB, Deadline, Exit, ExitCause, Limits, Mount
from learndock.sandbox.kubernetes import KubernetesExecutor
from learndock.sandbox.launcher import LearnwareLauncher
from tests.support.fake_kubernetes import CLAIM, NAMESPACE, RUNTIME_CLASS, FakeCluster, fake_cluster
from tests.support.models import model_package

PATIENCE = 60.0
LIMITS = Limits(memory_bytes=512 * MIB, wall_seconds=60.0)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[FakeCluster, KubernetesExecutor]]:
    volume = tmp_path / "volume"
    volume.mkdir()
    with fake_cluster(volume) as (cluster, address):
        place = Cluster(NAMESPACE, "learndock/sandbox:latest", RUNTIME_CLASS, CLAIM, volume, address)
        yield cluster, KubernetesExecutor(place)


def run(executor: KubernetesExecutor, code: str, *mounts: Mount) -> tuple[bytes, str, Exit]:
    process = executor.start([executor.python, "-I", "-c", code], mounts=mounts, limits=LIMITS)
    output = b""
    while piece := process.read(65536, Deadline(PATIENCE)):
        output += piece
    end = process.wait(PATIENCE)
    return output, process.log_tail(), end


def test_it_is_available_where_a_policy_denies_all_traffic(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    cluster, executor = served
    assert executor.available() is None
    assert cluster.jobs == {}, "what has ended is deleted"


@pytest.mark.parametrize(
    "policies",
    [
        [],
        [{"podSelector": {"matchLabels": {"app": "other"}}, "policyTypes": ["Ingress", "Egress"]}],
        [{"podSelector": {}, "policyTypes": ["Ingress"]}],
        [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}],
    ],
    ids=["none", "selects others", "one direction", "allows"],
)
def test_without_such_a_policy_nothing_is_run(
    served: tuple[FakeCluster, KubernetesExecutor], policies: list[dict[str, object]]
) -> None:
    cluster, executor = served
    cluster.policies = policies
    assert "NetworkPolicy" in str(executor.available())
    assert cluster.seen == []


def test_a_pod_has_no_rights(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    cluster, executor = served
    run(executor, "pass")
    job = cluster.seen[-1]
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["runtimeClassName"] == RUNTIME_CLASS
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
    }
    assert container["resources"]["limits"]["memory"] == str(512 * MIB)
    assert all(mount.get("readOnly") for mount in container["volumeMounts"] if mount["name"] == "shared")
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] >= 60
    assert job["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "sandbox"


def test_the_manifest_is_one_that_kubernetes_takes(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    import kubernetes_validate

    cluster, executor = served
    run(executor, "pass")
    kubernetes_validate.validate(cluster.seen[-1], "1.33", strict=True)


def test_streams_and_status_come_through(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    _, executor = served
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    assert run(executor, code) == (b"out\n", "err\n", Exit(3, ExitCause.EXITED))


def test_large_frames_go_both_ways(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    _, executor = served
    code = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer, 65536)"
    sent = bytes(range(256)) * 8192
    process = executor.start([executor.python, "-I", "-c", code], limits=LIMITS)
    try:
        writer = threading.Thread(target=process.write, args=(sent, Deadline(PATIENCE)))
        writer.start()
        received = b""
        while len(received) < len(sent):
            received += process.read(len(sent), Deadline(PATIENCE))
        writer.join()
        assert received == sent
    finally:
        process.kill()
        assert process.wait(PATIENCE).cause is ExitCause.KILLED


def test_the_deadline_ends_it(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    cluster, executor = served
    process = executor.start([executor.python, "-c", "while True: pass"], limits=Limits(wall_seconds=1.0))
    assert process.wait(PATIENCE) == Exit(137, ExitCause.DEADLINE)
    assert cluster.jobs == {}


def test_a_model_runs(served: tuple[FakeCluster, KubernetesExecutor], tmp_path: Path) -> None:
    _, executor = served
    volume = tmp_path / "volume"
    launcher = LearnwareLauncher(executor, EnvironmentCache(volume / "environments"), volume / "work", LIMITS)
    with launcher.open(model_package(tmp_path)) as model:
        np.testing.assert_allclose(model.predict(np.ones((4, 3))), [[3.0, -3.0]] * 4)


def test_folders_that_pods_cannot_read_are_refused(
    served: tuple[FakeCluster, KubernetesExecutor], tmp_path: Path
) -> None:
    with pytest.raises(Unavailable):
        served[1].start(["/bin/true"], mounts=(Mount(tmp_path, "/given"),), limits=LIMITS)


def test_sandboxes_of_dead_owners_are_swept(served: tuple[FakeCluster, KubernetesExecutor]) -> None:
    cluster, executor = served
    process = executor.start([executor.python, "-c", "import time; time.sleep(60)"], limits=LIMITS)
    assert executor.sweep() == 0
    (job,) = cluster.jobs.values()
    job["metadata"]["annotations"]["learndock.dev/deadline"] = "1"
    assert executor.sweep() == 1
    assert process.wait(PATIENCE).cause is ExitCause.KILLED
