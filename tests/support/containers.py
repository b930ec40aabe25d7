"""A dock whose services run each in its container, on a private network without a way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import secrets
import subprocess
import tempfile
import time
from typing import Any
from uuid import uuid4

from tests.support.dock import ROOT
from tools.environment import LOCK, PYTHON

BASE = "learndock/sandbox:latest"
"""Debian's Python and nothing else, made by `make sandbox-image` without a registry."""

SERVICES = {"identity": 7451, "spec": 7452, "storage": 7453, "validator": 7454, "search": 7455, "reuse": 7456}
"""Who answers calls, and at which port."""
PORTS = {**SERVICES, "console": 7457}
"""The same with the console, which answers browsers."""
_CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
# bubblewrap makes namespaces inside of the container, without a capability of it: see docs/operations.md.
_SANDBOXED = (
    f"--security-opt=seccomp={ROOT / 'deploy' / 'docker' / 'seccomp-sandbox.json'}",
    "--security-opt=systempaths=unconfined",
    "--env=PIP_NO_INDEX=1",
    "--env=PIP_FIND_LINKS=/wheels",
)
_MODEL_NEEDS = ("numpy", "scikit-learn")
_HEALTHY_SECONDS = 120


@dataclass(frozen=True)
class ContainerDock:
    """Services by name, each in its container."""

    containers: dict[str, str]

    @property
    def addresses(self) -> dict[str, str]:
        """Where each service answers calls."""
        return {name: self.address_of(name) for name in SERVICES}

    def address_of(self, name: str) -> str:
        """Where a container is reached."""
        (network,) = self.inspect(name)["NetworkSettings"]["Networks"].values()
        return f"{network['IPAddress']}:{PORTS[name]}"

    @property
    def admin_token(self) -> str:
        """Token of the first superadmin."""
        return self.run_in("identity", "cat", "/data/admin-token").strip()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine tells of a container."""
        (found,) = json.loads(_docker("container", "inspect", self.containers[service]))
        return dict(found)

    def run_in(self, service: str, *command: str) -> str:
        """Output of a command in a container."""
        return _docker("exec", self.containers[service], *command)


@contextmanager
def container_dock() -> Iterator[ContainerDock]:
    """Start every service's image and wait until all serve; everything is removed at the end."""
    network = f"learndock-test-{uuid4().hex[:12]}"
    token = secrets.token_urlsafe(32)
    _docker("network", "create", "--internal", network)
    dock = ContainerDock({})
    try:
        with tempfile.TemporaryDirectory() as wheels:
            _fetch_wheels(Path(wheels))
            for name in PORTS:
                dock.containers[name] = _docker(*_start(name, network, token, wheels)).strip()
            for name in PORTS:
                _wait_healthy(dock, name)
            yield dock
    finally:
        for container in dock.containers.values():
            subprocess.run(["docker", "rm", "--force", "--volumes", container], capture_output=True, check=False)
        _docker("network", "rm", network)


def _fetch_wheels(folder: Path) -> None:
    """What the models of these tests run on, for a network that leads nowhere."""
    fetch = [str(PYTHON), "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--constraint", str(LOCK)]
    subprocess.run([*fetch, "--dest", str(folder), *_MODEL_NEEDS], check=True)
    folder.chmod(0o755)


def _start(name: str, network: str, token: str, wheels: str) -> list[str]:
    environment = [f"--env=LEARNDOCK_{name.upper()}_{setting}={value}" for setting, value in _settings(name, token)]
    sandboxed = (*_SANDBOXED, f"--volume={wheels}:/wheels:ro") if name in ("validator", "reuse") else ()
    quick = ("--health-interval=1s", f"--network={network}", f"--network-alias={name}")
    return ["run", "--detach", *quick, *_CONFINED, *sandboxed, *environment, f"learndock/{name}:test"]


def _settings(name: str, token: str) -> Iterator[tuple[str, str]]:
    if name == "console":
        yield "SECRET", token
        yield "DOCK_ADDRESS", ",".join(f"{service}={service}:{port}" for service, port in SERVICES.items())
        return
    yield "SERVICE_TOKEN", token
    if name != "identity":
        yield "IDENTITY_ADDRESS", f"identity:{SERVICES['identity']}"
    if name in ("validator", "search", "reuse"):
        yield "STORAGE_ADDRESS", f"storage:{SERVICES['storage']}"


def _wait_healthy(dock: ContainerDock, name: str) -> None:
    until = time.monotonic() + _HEALTHY_SECONDS
    while (state := dock.inspect(name)["State"])["Health"]["Status"] != "healthy":
        if not state["Running"] or time.monotonic() > until:
            logs = subprocess.run(["docker", "logs", dock.containers[name]], capture_output=True, text=True, check=True)
            raise RuntimeError(f"{name} does not serve: {state['Health']}\n{logs.stderr[-4000:]}")
        time.sleep(0.2)


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr}")
    return done.stdout
