"""Every service of a dock as a process of its own, which a test may kill and start again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.dock import ENVIRONMENTS, ROOT
from tests.support.s3 import free_ports

SERVICES = ("identity", "spec", "storage", "validator", "search", "reuse")
SERVICE_TOKEN = "the-secret-that-the-services-share"
_READY_SECONDS = 300


class ServiceProcess:
    """One process of a service, at an address that stays the same when it is started again.

    Parameters
    ----------
    service
        Name of the service.
    address
        Where it listens.
    log
        File of what it prints.
    settings
        Its settings, named without the service's prefix.
    """

    def __init__(self, service: str, address: str, log: Path, settings: Mapping[str, str]) -> None:
        self.address = address
        self._service = service
        self._log = log
        prefix = f"LEARNDOCK_{service.upper()}_"
        named = {"SERVICE_TOKEN": SERVICE_TOKEN, "LISTEN": address, **settings}
        self._environment = {**os.environ, **{prefix + key: value for key, value in named.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it; returns at once."""
        command = [sys.executable, "-m", f"services.{self._service}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Wait until it serves."""
        until = time.monotonic() + _READY_SECONDS
        with grpc.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < until:
                try:
                    stub.Check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
                except grpc.RpcError:
                    if self._process is not None and self._process.poll() is not None:
                        break
                else:
                    return
        raise RuntimeError(f"{self._service} did not start:\n{self._log.read_text()[-4000:]}")

    def tell_to_stop(self) -> None:
        """Ask it to end; returns at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, seconds: float = 30) -> None:
        """Wait for its end, and kill it when that takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class ProcessDock:
    """Services on fixed loopback ports; each keeps its data in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses = {
            name: f"127.0.0.1:{port}" for name, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True)
        }
        self._processes = {
            name: ServiceProcess(name, self.addresses[name], folder / f"{name}.log", self._settings(name))
            for name in SERVICES
        }

    @property
    def admin_token(self) -> str:
        """Token of the first superadmin."""
        return (self.folder / "identity" / "admin-token").read_text().strip()

    def start(self, name: str) -> None:
        """Start a service and wait until it serves."""
        self._processes[name].launch()
        self._processes[name].wait_ready()

    def kill(self, name: str) -> None:
        """Kill a service without a chance to clean up."""
        self._processes[name].kill()

    def stop(self) -> None:
        """End every service in order."""
        for process in reversed(self._processes.values()):
            process.tell_to_stop()
        for process in self._processes.values():
            process.wait_stopped()

    def _settings(self, name: str) -> dict[str, str]:
        settings = addresses_for(name, self.addresses)
        if name != "spec":
            settings["DATA_DIR"] = str(self.folder / name)
        if name in ("validator", "reuse"):
            settings["ENVIRONMENTS_DIR"] = str(ENVIRONMENTS)
        return settings


def addresses_for(name: str, addresses: Mapping[str, str]) -> dict[str, str]:
    """Settings that tell a service where those are that it calls."""
    called = {"identity": ()}.get(name, ("identity",))
    called += ("storage",) if name in ("validator", "search", "reuse") else ()
    return {f"{other.upper()}_ADDRESS": addresses[other] for other in called}


@contextmanager
def process_dock(folder: Path) -> Iterator[ProcessDock]:
    """Start every service; end them all when the block ends."""
    dock = ProcessDock(folder)
    try:
        for name in SERVICES:
            dock.start(name)
        yield dock
    finally:
        dock.stop()
