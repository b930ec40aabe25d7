"""Every service of a dock as a process of its own, which a test may kill and start again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.dock import ENVIRONMENTS, ROOT

SERVICES = ("identity", "spec", "storage", "validator", "search", "reuse")
SERVICE_TOKEN = "the-secret-that-the-services-share"
_READY_SECONDS = 90


class ProcessDock:
    """Services on fixed loopback ports; each keeps its data in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in zip(SERVICES, _free_ports(), strict=True)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def admin_token(self) -> str:
        """Token of the first superadmin."""
        return (self.folder / "identity" / "admin-token").read_text().strip()

    def start(self, name: str) -> None:
        """Start a service and wait until it serves."""
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"], cwd=ROOT, env=self._environment(name), stdout=log, stderr=log
        )
        log.close()
        self._wait_ready(name)

    def kill(self, name: str) -> None:
        """Kill a service without a chance to clean up."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait()

    def stop(self) -> None:
        """End every service in order."""
        for process in reversed(self._processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _environment(self, name: str) -> dict[str, str]:
        prefix = f"LEARNDOCK_{name.upper()}_"
        settings = {"SERVICE_TOKEN": SERVICE_TOKEN, "LISTEN": self.addresses[name]}
        if name != "identity":
            settings["IDENTITY_ADDRESS"] = self.addresses["identity"]
        if name != "spec":
            settings["DATA_DIR"] = str(self.folder / name)
        if name in ("validator", "search", "reuse"):
            settings["STORAGE_ADDRESS"] = self.addresses["storage"]
        if name in ("validator", "reuse"):
            settings["ENVIRONMENTS_DIR"] = str(ENVIRONMENTS)
        return {**os.environ, **{prefix + key: value for key, value in settings.items()}}

    def _wait_ready(self, name: str) -> None:
        until = time.monotonic() + _READY_SECONDS
        with grpc.insecure_channel(self.addresses[name]) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < until:
                try:
                    stub.Check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
                except grpc.RpcError:
                    if self._processes[name].poll() is not None:
                        break
                else:
                    return
        raise RuntimeError(f"{name} did not start:\n{(self.folder / f'{name}.log').read_text()[-4000:]}")


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


def _free_ports() -> list[int]:
    sockets = [socket.socket() for _ in SERVICES]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
