"""One sandbox in a cluster: its pod, and the attached streams through which it is spoken with."""

from __future__ import annotations

from contextlib import suppress
import os
import threading
import time
from typing import Any

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import STDERR_CHANNEL, STDIN_CHANNEL, STDOUT_CHANNEL
from urllib3.exceptions import HTTPError
import websocket

from learndock.sandbox.executor import Deadline, Exit, ExitCause, Limits
from learndock.sandbox.streams import DuplexStream, LogTail

_CHUNK = 256 * 1024
_LOOK_SECONDS = 0.3
_START_SECONDS = 300.0
_KILLED_STATUS = 128 + 9
_GONE = 404


class PodProcess:
    """One sandbox: a Job that is deleted once it has ended.

    Parameters
    ----------
    api
        The cluster.
    namespace, name
        Where its Job is.
    limits
        What it may use.
    """

    def __init__(self, api: client.ApiClient, namespace: str, name: str, limits: Limits) -> None:
        self._api, self._namespace, self._name = api, namespace, name
        self._cause: ExitCause | None = None
        self._exit: Exit | None = None
        self._lock = threading.Lock()
        self._log = LogTail(limits.log_bytes)
        try:
            self._pod = self._started(Deadline(_START_SECONDS))
            self._socket: websocket.WebSocket = self._attached().sock
        except BaseException:
            self._delete()
            raise
        input_read, input_write = os.pipe()
        output_read, output_write = os.pipe()
        self._streams = DuplexStream(input_write, output_read)
        for pump, descriptor in ((self._send, input_read), (self._receive, output_write)):
            threading.Thread(target=pump, args=(descriptor,), name="sandbox-stream", daemon=True).start()
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
        return False

    def kill(self) -> None:
        """End it and everything that it started."""
        self._end(ExitCause.KILLED)

    def wait(self, timeout: float | None = None) -> Exit:
        """How it ended; deletes the Job."""
        deadline = Deadline(timeout)
        while self._exit is None:
            status = self._status()
            if status is not None:
                self._close(*status)
                break
            deadline.remaining()
            time.sleep(_LOOK_SECONDS)
        assert self._exit is not None  # noqa: S101  # `_close` sets it
        return self._exit

    def _started(self, deadline: Deadline) -> str:
        """Name of the pod once its container runs or has run."""
        while True:
            pod = self._newest_pod()
            if pod is not None and pod.status.container_statuses:
                state = pod.status.container_statuses[0].state
                if state.running or state.terminated:
                    return str(pod.metadata.name)
            deadline.remaining()
            time.sleep(_LOOK_SECONDS)

    def _newest_pod(self) -> Any:  # noqa: ANN401  # the client's models have no types
        core = client.CoreV1Api(self._api)
        pods = core.list_namespaced_pod(self._namespace, label_selector=f"learndock.dev/sandbox={self._name}").items
        return pods[0] if pods else None

    def _attached(self) -> Any:  # noqa: ANN401
        # The stream helper changes the client that it is given.
        core = client.CoreV1Api(client.ApiClient(self._api.configuration))
        return stream(
            core.connect_get_namespaced_pod_attach,
            self._pod,
            self._namespace,
            container="sandbox",
            stdin=True,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
        )

    def _send(self, source: int) -> None:
        """Carry what is written to the pod, after the line that lets it begin."""
        with open(source, "rb", buffering=0) as file, suppress(OSError, websocket.WebSocketException):
            data = b"\n"
            while data:
                self._socket.send(bytes([STDIN_CHANNEL]) + data, opcode=websocket.ABNF.OPCODE_BINARY)
                data = file.read(_CHUNK)

    def _receive(self, sink: int) -> None:
        """Carry what the pod says to whoever reads, and what it prints to the log."""
        with open(sink, "wb", buffering=0) as file, suppress(OSError, websocket.WebSocketException):
            while True:
                opcode, frame = self._socket.recv_data_frame(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return
                channel, data = frame.data[:1], frame.data[1:]
                if channel == bytes([STDOUT_CHANNEL]):
                    file.write(data)
                elif channel == bytes([STDERR_CHANNEL]):
                    self._log.append(data)

    def _status(self) -> tuple[int, ExitCause] | None:
        """Status and cause of the end; None while it runs."""
        try:
            pod = self._newest_pod()
        except (ApiException, HTTPError):
            return None
        if pod is None:
            return _KILLED_STATUS, ExitCause.KILLED
        ended = pod.status.container_statuses[0].state.terminated if pod.status.container_statuses else None
        if ended is None:
            return (_KILLED_STATUS, ExitCause.DEADLINE) if pod.status.reason == "DeadlineExceeded" else None
        return ended.exit_code, ExitCause.OUT_OF_MEMORY if ended.reason == "OOMKilled" else ExitCause.EXITED

    def _end(self, cause: ExitCause) -> None:
        with self._lock:
            if self._exit is None:
                self._cause = self._cause or cause
                self._delete()

    def _close(self, status: int, cause: ExitCause) -> None:
        with self._lock:
            if self._exit is None:
                self._exit = Exit(status, self._cause or cause)
                self._alarm.cancel()
                self._delete()
        self._socket.close()
        self._streams.close()

    def _delete(self) -> None:
        try:
            client.BatchV1Api(self._api).delete_namespaced_job(
                self._name, self._namespace, propagation_policy="Background", grace_period_seconds=0
            )
        except ApiException as error:
            if error.status != _GONE:
                raise
