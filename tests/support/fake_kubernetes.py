"""The few endpoints of a Kubernetes API server that sandboxes need; pods really run, under bubblewrap."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
from pathlib import Path
import re
import shutil
import struct
import subprocess
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMESPACE, RUNTIME_CLASS, CLAIM = "sandboxes", "gvisor", "learndock"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STDOUT, _STDERR = b"\x01", b"\x02"
_BINARY, _CLOSE = 0x2, 0x8
DENY_ALL = {
    "podSelector": {"matchLabels": {"app.kubernetes.io/component": "sandbox"}},
    "policyTypes": ["Ingress", "Egress"],
}


class FakeCluster:
    """What the server knows.

    Attributes
    ----------
    jobs
        Manifests by name, as they were sent; gone once deleted.
    policies
        Specs of the namespace's network policies.
    seen
        Every manifest that ever came.
    """

    def __init__(self, volume: Path) -> None:
        self.volume = volume
        self.jobs: dict[str, dict[str, Any]] = {}
        self.policies: list[dict[str, Any]] = [DENY_ALL]
        self.seen: list[dict[str, Any]] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def create(self, job: dict[str, Any]) -> None:
        name = job["metadata"]["name"]
        self.seen.append(job)
        self.jobs[name] = job
        self.processes[name] = self._run(job["spec"]["template"]["spec"]["containers"][0])

    def _run(self, container: dict[str, Any]) -> subprocess.Popen[bytes]:
        program = shutil.which("bwrap")
        assert program is not None
        options = [
            "--unshare-pid",
            "--unshare-net",
            "--die-with-parent",
            "--ro-bind",
            "/usr",
            "/usr",
            "--proc",
            "/proc",
        ]
        options += ["--dev", "/dev", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib"]
        options += ["--symlink", "usr/lib64", "/lib64", "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
        for mount in container["volumeMounts"]:
            if mount["name"] == "shared":
                assert mount["readOnly"]
                options += ["--perms", "0755", "--dir", "/sandbox"]
                options += ["--ro-bind", str(self.volume / mount["subPath"]), mount["mountPath"]]
        return subprocess.Popen(
            [program, *options, "--chdir", "/tmp", "--", *container["command"]],  # noqa: S108
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={each["name"]: each["value"] for each in container["env"]},
        )

    def delete(self, name: str) -> bool:
        process = self.processes.get(name)
        if process is not None:
            process.kill()
        return self.jobs.pop(name, None) is not None

    def pod(self, name: str) -> dict[str, Any]:
        status = self.processes[name].poll()
        ended = (
            {"terminated": {"exitCode": status if status >= 0 else 128 - status, "reason": "Completed"}}
            if (status is not None)
            else {"running": {}}
        )
        return {
            "metadata": {"name": f"{name}-abcde"},
            "spec": {"containers": []},
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "sandbox", "image": "", "imageID": "", "ready": True, "restartCount": 0, "state": ended}
                ],
            },
        }


class _Handler(BaseHTTPRequestHandler):
    cluster: FakeCluster
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if match := re.fullmatch(rf"/api/v1/namespaces/{NAMESPACE}/pods/(.*)-abcde/attach", url.path):
            self._attach(match[1])
        elif url.path == f"/apis/node.k8s.io/v1/runtimeclasses/{RUNTIME_CLASS}":
            self._answer({"handler": "runsc", "metadata": {"name": RUNTIME_CLASS}})
        elif url.path == f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies":
            self._answer({"items": [{"metadata": {"name": "deny"}, "spec": spec} for spec in self.cluster.policies]})
        elif url.path == f"/api/v1/namespaces/{NAMESPACE}/pods":
            name = query["labelSelector"][0].partition("=")[2]
            self._answer({"items": [self.cluster.pod(name)] if name in self.cluster.jobs else []})
        elif url.path == f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs":
            self._answer({"items": list(self.cluster.jobs.values())})
        else:
            self._answer({"kind": "Status", "reason": "NotFound"}, 404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.cluster.create(body)
        self._answer(body, 201)

    def do_DELETE(self) -> None:
        found = self.cluster.delete(urlsplit(self.path).path.rpartition("/")[2])
        self._answer({"kind": "Status"}, 200 if found else 404)

    def _answer(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _attach(self, name: str) -> None:
        key = self.headers["Sec-WebSocket-Key"] + _MAGIC
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        self.send_response(101)
        for header, value in {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept,
            "Sec-WebSocket-Protocol": "v4.channel.k8s.io",
        }.items():
            self.send_header(header, value)
        self.end_headers()
        self.close_connection = True
        process = self.cluster.processes[name]
        sending = threading.Lock()
        pumps = [
            threading.Thread(target=self._pump, args=(stream, channel, sending), daemon=True)
            for stream, channel in ((process.stdout, _STDOUT), (process.stderr, _STDERR))
        ]
        for pump in pumps:
            pump.start()
        threading.Thread(target=self._take_input, args=(process,), daemon=True).start()
        for pump in pumps:
            pump.join()
        self._send(_CLOSE, b"\x03\xe8", sending)

    def _pump(self, stream: Any, channel: bytes, sending: threading.Lock) -> None:
        try:
            while data := stream.read1(65536):
                self._send(_BINARY, channel + data, sending)
        except OSError:
            return

    def _send(self, opcode: int, data: bytes, sending: threading.Lock) -> None:
        size = bytes([len(data)]) if len(data) < 126 else struct.pack(">BQ", 127, len(data))
        with sending:
            self.wfile.write(bytes([0x80 | opcode]) + size + data)

    def _take_input(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        try:
            while True:
                first, second = self.rfile.read(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack(">H", self.rfile.read(2))
                elif size == 127:
                    (size,) = struct.unpack(">Q", self.rfile.read(8))
                mask, masked = self.rfile.read(4), self.rfile.read(size)
                if first & 0x0F == _CLOSE:
                    return
                plain = (
                    int.from_bytes(masked, "big") ^ int.from_bytes((mask * (size // 4 + 1))[:size], "big")
                ).to_bytes(size, "big")
                assert plain[:1] == b"\x00"
                process.stdin.write(plain[1:])
                process.stdin.flush()
        except (OSError, ValueError):
            return


@contextmanager
def fake_cluster(volume: Path) -> Iterator[tuple[FakeCluster, str]]:
    """A cluster whose claim is the folder `volume`, and the address of its API server."""
    cluster = FakeCluster(volume)
    handler = type("Handler", (_Handler,), {"cluster": cluster})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield cluster, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        for name in list(cluster.jobs):
            cluster.delete(name)
        server.shutdown()
        server.server_close()
