"""Sandboxes made by a Docker engine, from an image that holds Debian's Python and nothing of this project."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
import os
from pathlib import Path
import select
import socket
import struct
import sys
import threading
import time
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import LogConfig
from docker.types import Mount as BindMount
import requests

from learndock.errors import Reason, Unavailable
from learndock.sandbox.confinement import ENVIRONMENT, GUEST_MOUNT, USER, confined
from learndock.sandbox.executor import MIB, Deadline, Exit, ExitCause, Limits, Mount
from learndock.sandbox.owner import is_dead, own_mark
from learndock.sandbox.streams import DuplexStream, LogTail, wait_for

DEFAULT_IMAGE = "learndock/sandbox:latest"
GVISOR_RUNTIME = "runsc"

_LABEL, _OWNER, _DEADLINE = "learndock.sandbox", "learndock.owner", "learndock.deadline"
_PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_SHARED_MEMORY_BYTES = 64 * MIB
_ENGINE_SECONDS = 60
_PROBE_SECONDS = 30
_GRACE_SECONDS = 10.0
_KILLED_STATUS = 128 + 9
_OOM_NEWS_SECONDS = (0.0, 0.1, 0.2, 0.4)
_CHUNK = 64 * 1024
_BOOT_ID, _BOOT_ID_LENGTH = "/proc/sys/kernel/random/boot_id", 36
_STDOUT, _STDERR = 1, 2
# The engine counts processes by container; the kernel would count them for all containers' common user.
_COUNTED_BY_THE_ENGINE = frozenset({"NPROC"})
# gVisor has no message queues, and its own threads are counted with the sandbox's.
_UNKNOWN_TO_GVISOR = frozenset({"MSGQUEUE"})
_GVISOR_PIDS = 256


class DockerExecutor:
    """Runs commands in containers.

    Parameters
    ----------
    image
        Image to run them in, made by `deploy/docker/sandbox-image.sh`.
    runtime
        Runtime of the engine: `runc`, or `runsc` (gVisor) where it is registered; empty for the engine's default.
    """

    python = "/usr/bin/python3"

    def __init__(self, image: str = DEFAULT_IMAGE, runtime: str = "") -> None:
        self._image = image
        self._runtime = runtime

    @property
    def name(self) -> str:
        """`docker`, or `gvisor` where its kernel stands between the sandbox and the machine's."""
        return "gvisor" if self._is_gvisor else "docker"

    @property
    def _is_gvisor(self) -> bool:
        return self._runtime == GVISOR_RUNTIME

    @property
    def shares_kernel(self) -> bool:
        """Whether its containers run on this program's kernel: not so with gVisor, nor with an engine elsewhere."""
        _, boot = self._probed
        return boot != "" and boot == Path(_BOOT_ID).read_text().strip()

    def available(self) -> str | None:
        """None when a sandbox can be started here, otherwise why not."""
        obstacle, _ = self._probed
        return obstacle

    @cached_property
    def _probed(self) -> tuple[str | None, str]:
        """What stands in the way, and which start of a kernel the containers run on where the kernel tells."""
        try:
            labels = self._client.images.get(self._image).labels
            if labels.get("learndock.python") != _PYTHON_VERSION:
                return f"The image {self._image} has another Python than {_PYTHON_VERSION}.", ""
            process = self.start(["/bin/sh", "-c", f"cat {_BOOT_ID} || :"], limits=Limits(wall_seconds=_PROBE_SECONDS))
            boot = process.read(_BOOT_ID_LENGTH, Deadline(_PROBE_SECONDS))
            end = process.wait(_PROBE_SECONDS + _GRACE_SECONDS)
        except ImageNotFound:
            return f"The image {self._image} is missing: `make sandbox-image`.", ""
        except (DockerException, requests.RequestException, Unavailable, TimeoutError) as error:
            return f"No Docker engine runs sandboxes here: {str(error)[:300]}.", ""
        if end.status != 0:
            return f"Docker cannot make a sandbox here: {process.log_tail().strip()[-300:]}", ""
        return None, boot.decode(errors="replace")

    @cached_property
    def _client(self) -> docker.DockerClient:
        return docker.from_env(timeout=_ENGINE_SECONDS)

    def start(self, command: Sequence[str], *, mounts: Sequence[Mount] = (), limits: Limits) -> DockerProcess:
        """Start `command` in a new sandbox."""
        try:
            container = self._client.containers.create(
                self._image, self._command(command, limits), **self._options(mounts, limits)
            )
            return DockerProcess(container, limits)
        except (DockerException, requests.RequestException) as error:
            raise Unavailable(Reason.NO_SANDBOX, f"The sandbox could not be started: {str(error)[:300]}") from error

    def _command(self, command: Sequence[str], limits: Limits) -> list[str]:
        # Ends it when this program no longer can, being dead.
        last_resort = ["/usr/bin/timeout", "--signal=KILL", f"{limits.wall_seconds + _GRACE_SECONDS:.0f}"]
        without = _COUNTED_BY_THE_ENGINE | (_UNKNOWN_TO_GVISOR if self._is_gvisor else frozenset())
        return [*last_resort, *confined(command, self.python, limits, without=without)]

    def _options(self, mounts: Sequence[Mount], limits: Limits) -> dict[str, Any]:
        pids = max(limits.pids, _GVISOR_PIDS) if self._is_gvisor else limits.pids
        return {
            "cap_drop": ["ALL"],
            "cpu_shares": _shares(limits.cpu_weight),
            "environment": ENVIRONMENT,
            "ipc_mode": "private",
            "labels": {
                _LABEL: "1",
                _OWNER: own_mark(),
                _DEADLINE: str(int(time.time() + limits.wall_seconds + _GRACE_SECONDS)),
            },
            "log_config": LogConfig(type="none"),
            "mem_limit": limits.memory_bytes,
            "memswap_limit": limits.memory_bytes,
            "mounts": [
                BindMount(mount.target, str(mount.source.resolve()), type="bind", read_only=True)
                for mount in (GUEST_MOUNT, *mounts)
            ],
            "nano_cpus": int(limits.cpus * 1e9),
            "network_mode": "none",
            "pids_limit": pids,
            "read_only": True,
            "runtime": self._runtime or None,
            # The engine's own filter of system calls stays in force, and the guest adds ours.
            "security_opt": ["no-new-privileges:true"],
            "shm_size": _SHARED_MEMORY_BYTES,
            "stdin_open": True,
            "tmpfs": {"/tmp": f"size={limits.tmp_bytes},mode=1777,noexec,nosuid,nodev"},  # noqa: S108
            "user": f"{USER}:{USER}",
            "working_dir": "/tmp",  # noqa: S108
        }

    def sweep(self) -> int:
        """Remove sandboxes whose owner is dead or whose time is over; returns how many there were."""
        try:
            found = self._client.containers.list(all=True, filters={"label": _LABEL}, ignore_removed=True)
            return sum(_removed(container) for container in found if _is_left_over(container))
        except (DockerException, requests.RequestException):
            return 0  # no engine, so that nothing runs either


class DockerProcess:
    """One sandbox: a container that is removed once it has ended."""

    def __init__(self, container: Container, limits: Limits) -> None:
        self._container = container
        self._cause: ExitCause | None = None
        self._exit: Exit | None = None
        self._lock = threading.Lock()
        self._log = LogTail(limits.log_bytes)
        try:
            self._attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            container.start()
        except BaseException:
            _removed(container)
            raise
        descriptor = _descriptor(self._attached)
        output_read, output_write = os.pipe()
        self._streams = DuplexStream(os.dup(descriptor), output_read)
        self._reader = threading.Thread(
            target=self._demultiplex, args=(os.dup(descriptor), output_write), name="sandbox-output", daemon=True
        )
        self._reader.start()
        self._alarm = threading.Timer(limits.wall_seconds, self._end, (ExitCause.DEADLINE,))
        self._alarm.daemon = True
        self._alarm.start()

    def write(self, data: bytes | memoryview, deadline: Deadline) -> None:
        """Write all of `data` to its standard input."""
        self._streams.write(data, deadline)

    def read(self, count: int, deadline: Deadline) -> bytes:
        """Read from its standard output."""
        return self._streams.read(count, deadline)

    def log_tail(self) -> str:
        """Last 16 KiB of its standard error."""
        return self._log.text()

    def weigh(self, cpu_weight: float) -> bool:
        """Give it another part of busy processors; whether that could be done."""
        try:
            self._container.update(cpu_shares=_shares(cpu_weight))
        except (APIError, requests.RequestException):  # it has ended, or its runtime cannot
            return False
        return True

    def kill(self) -> None:
        """End it and everything that it started."""
        self._end(ExitCause.KILLED)

    def _end(self, cause: ExitCause) -> None:
        with self._lock:
            if self._exit is not None:
                return
            try:
                self._container.kill()
            except (APIError, requests.RequestException):
                return  # it has ended by itself
            self._cause = self._cause or cause

    def wait(self, timeout: float | None = None) -> Exit:
        """How it ended; removes the container."""
        if self._exit is None:
            try:
                status = int(self._container.wait(timeout=timeout)["StatusCode"])
            except NotFound:
                status = _KILLED_STATUS
            except requests.RequestException:  # the SDK's way to tell that time is up
                raise TimeoutError from None
            self._reader.join(timeout=1)
            self._close(status)
        assert self._exit is not None  # noqa: S101  # `_close` sets it
        return self._exit

    def _close(self, status: int) -> None:
        with self._lock:
            if self._exit is None:
                self._exit = Exit(status, self._cause or self._own_cause(status))
                self._alarm.cancel()
                self._attached.close()
                _removed(self._container)
        self._streams.close()

    def _own_cause(self, status: int) -> ExitCause:
        # The engine may hear of the kernel's verdict a moment after the end.
        for pause in _OOM_NEWS_SECONDS if status == _KILLED_STATUS else (0.0,):
            time.sleep(pause)
            try:
                self._container.reload()
            except (APIError, requests.RequestException):
                break
            if self._container.attrs["State"].get("OOMKilled"):
                return ExitCause.OUT_OF_MEMORY
        return ExitCause.EXITED

    def _demultiplex(self, source: int, output: int) -> None:
        """Part the engine's stream: frames of one byte for the kind, three of nothing, four for the length."""
        with open(output, "wb", buffering=0) as sink:
            try:
                while header := _received(source, 8):
                    kind, length = struct.unpack(">BxxxI", header)
                    while length and (piece := _some(source, min(length, _CHUNK))):
                        length -= len(piece)
                        if kind == _STDOUT:
                            sink.write(piece)
                        elif kind == _STDERR:
                            self._log.append(piece)
            except (OSError, struct.error):
                return  # nobody reads any more, or the engine is gone
            finally:
                os.close(source)


def _shares(cpu_weight: float) -> int:
    return max(2, int(cpu_weight * 1024))


def _descriptor(attached: Any) -> int:  # noqa: ANN401  # the SDK returns a file object around a socket, or a socket
    connection = getattr(attached, "_sock", attached)
    assert isinstance(connection, socket.socket)  # noqa: S101  # engines are reached over sockets
    return connection.fileno()


def _received(source: int, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := _some(source, count - len(data))):
        data += piece
    return data


def _some(source: int, count: int) -> bytes:
    while True:
        wait_for(source, select.POLLIN, Deadline(None))
        try:
            return os.read(source, count)
        except BlockingIOError:
            continue


def _is_left_over(container: Container) -> bool:
    deadline = container.labels.get(_DEADLINE, "")
    is_late = deadline.isdigit() and time.time() > int(deadline)
    return is_late or is_dead(container.labels.get(_OWNER, ""))


def _removed(container: Container) -> bool:
    try:
        container.remove(force=True, v=True)
    except (APIError, requests.RequestException):
        return False
    return True
