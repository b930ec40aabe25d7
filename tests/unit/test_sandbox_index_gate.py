"""Installers reach the package index and no other host, whatever they try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import io
import json
from pathlib import Path
import socket
import subprocess
import sys
import textwrap
import threading
from typing import Any
import zipfile

import pytest

from learndock.errors import Unavailable
from learndock.sandbox.file_fence import fenced
from learndock.sandbox.index_gate import IndexGate, available
from learndock.sandbox.index_hosts import MORE_HOSTS_VARIABLE, Host, index_hosts
from learndock.sandbox.installer import Installer
from tests.support.connect_proxy import connect_proxy

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")


class WebServer:
    """Serves what it is given by path, and remembers what was asked."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages
        self.asked: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                owner.asked.append(self.path)
                body = owner.pages.get(self.path.partition("?")[0])
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body or b"")

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def host(self) -> Host:
        return "127.0.0.1", self.server.server_port

    @property
    def address(self) -> str:
        return "http://{}:{}".format(*self.host)


@contextmanager
def serving(**pages: bytes) -> Iterator[WebServer]:
    made = WebServer({f"/{name}": body for name, body in pages.items()})
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def index() -> Iterator[WebServer]:
    with serving(page=b"index") as made:
        yield made


@pytest.fixture
def elsewhere() -> Iterator[WebServer]:
    with serving(page=b"elsewhere") as made:
        yield made


def inside(hosts: set[Host], code: str, *arguments: str) -> tuple[list[Any], IndexGate]:
    """What a program prints that is shut in like an installer, each line as JSON."""
    everything = [Path("/")]
    with IndexGate(hosts) as gate:
        program = [sys.executable, "-I", "-c", textwrap.dedent(code), *arguments]
        command = fenced(program, read=everything, write=[], gate=gate.outside)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, pass_fds=(gate.outside,))
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()], gate


TRIES = """
    import json, socket, sys
    def tried(action):
        try:
            action()
            return True
        except OSError:
            return False
    host, port = sys.argv[1], int(sys.argv[2])
    datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    print(json.dumps([
        tried(lambda: socket.create_connection((host, port), 5)),
        tried(lambda: socket.create_connection(("169.254.169.254", 80), 5)),
        tried(lambda: socket.create_connection(("1.1.1.1", 443), 5)),
        tried(lambda: datagram.sendto(b"x", ("1.1.1.1", 53))),
        tried(lambda: socket.getaddrinfo("pypi.org", 443)),
    ]))
"""


def test_the_kernel_gives_such_networks() -> None:
    assert available()


def test_no_host_is_reached_past_the_gate(index: WebServer) -> None:
    told, gate = inside({index.host}, TRIES, *map(str, index.host))
    assert (told, gate.closed) == ([[False] * 5], True)
    assert index.asked == []


LEAVES = """
    import ctypes, json, os
    libc = ctypes.CDLL(None, use_errno=True)
    outside = "/proc/%d/ns/net" % os.getppid()
    try:
        left = libc.setns(os.open(outside, os.O_RDONLY), 0) == 0
    except OSError:
        left = False
    print(json.dumps([left, os.readlink("/proc/self/ns/net")]))
"""


def test_nobody_goes_back_to_the_old_network() -> None:
    told, _ = inside(set(), LEAVES)
    assert told[0][0] is False
    assert told[0][1] != str(Path("/proc/self/ns/net").readlink())


ASKS = """
    import json, sys, urllib.request, urllib.error
    def answer(address):
        try:
            return urllib.request.urlopen(address, timeout=10).read().decode()
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            return str(error)
    for address in sys.argv[1:]:
        print(json.dumps(answer(address)))
"""


def test_the_index_is_reached_through_it(index: WebServer, elsewhere: WebServer) -> None:
    told, gate = inside({index.host}, ASKS, f"{index.address}/page", f"{elsewhere.address}/page")
    assert told == ["index", 403]
    assert gate.refused == {"{}:{}".format(*elsewhere.host)}
    assert elsewhere.asked == []


def test_an_index_that_is_down_is_no_host_that_was_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    told, gate = inside({("127.0.0.1", port)}, ASKS, f"http://127.0.0.1:{port}/page")
    assert (told, gate.refused) == ([502], set())


TUNNELS = """
    import json, os, socket, sys
    from urllib.parse import urlsplit
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    for target in sys.argv[1:]:
        with socket.create_connection((proxy.hostname, proxy.port), 10) as way:
            way.sendall(f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode())
            answer = way.recv(4096).decode()
            if " 200 " in answer:
                way.sendall(b"GET /page HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
                answer = b"".join(iter(lambda: way.recv(4096), b"")).decode()
            print(json.dumps(answer.splitlines()[0] + answer[-5:]))
"""


def test_a_tunnel_leads_to_the_index_only(index: WebServer, elsewhere: WebServer) -> None:
    asked = ["{}:{}".format(*index.host), "{}:{}".format(*elsewhere.host), f"localhost:{index.host[1]}"]
    told, gate = inside({index.host}, TUNNELS, *asked)
    assert [line.split()[1] for line in told] == ["200", "403", "403"]
    assert told[0].endswith("index")
    assert gate.refused == set(asked[1:])


def test_the_operators_own_proxy_is_asked(
    index: WebServer, elsewhere: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect_proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.address}")
        asked = ["{}:{}".format(*index.host), "{}:{}".format(*elsewhere.host)]
        told, _ = inside({index.host}, TUNNELS, *asked)
        assert [line.split()[1] for line in told] == ["200", "403"]
        assert proxy.asked == asked[:1]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert inside({index.host}, TUNNELS, asked[0])[0][0].endswith("index")
        assert proxy.asked == asked[:1]


NONSENSE = """
    import json, os, socket
    from urllib.parse import urlsplit
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    for sent in (b"x" * 40000, b"GET / HTTP/1.1\\r\\n\\r\\n", b"CONNECT :1 HTTP/1.1\\r\\n\\r\\n",
                 b"\\xff \\xff\\r\\n\\r\\n", b"POST http://127.0.0.1/ HTTP/1.1\\r\\n\\r\\n"):
        with socket.create_connection((proxy.hostname, proxy.port), 10) as way:
            try:
                way.sendall(sent)
                answer = way.recv(100).decode()
            except OSError:
                answer = ""
            print(json.dumps(answer))
"""


def test_nonsense_is_not_answered() -> None:
    assert inside({("127.0.0.1", 80)}, NONSENSE)[0] == [""] * 5


def wheel(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", f"{name}.py,,\n")
    return file.getvalue()


FILE = "tool-1.0-py3-none-any.whl"


def test_an_index_whose_files_are_elsewhere(
    index: WebServer, elsewhere: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that an index names on another host is not fetched, unless the operator names that host."""
    index.pages["/simple/tool/"] = f'<a href="{elsewhere.address}/{FILE}">{FILE}</a>'.encode()
    elsewhere.pages[f"/{FILE}"] = wheel("tool")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.address}/simple/")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    installer = Installer(tmp_path / "environments", ())
    with pytest.raises(Unavailable) as refused:
        installer.resolve(("tool",), lambda: None)
    assert "{}:{}".format(*elsewhere.host) in refused.value.message
    assert (MORE_HOSTS_VARIABLE in refused.value.message, elsewhere.asked) == (True, [])
    monkeypatch.setenv(MORE_HOSTS_VARIABLE, "{}:{}".format(*elsewhere.host))
    assert installer.resolve(("tool",), lambda: None) == ("tool==1.0",)
    installer.install(("tool==1.0",), tmp_path / "environments" / "made", lambda: None)
    assert (tmp_path / "environments" / "made" / "tool.py").exists()


@pytest.mark.parametrize(
    ("variables", "hosts"),
    [
        ({}, {("pypi.org", 443), ("files.pythonhosted.org", 443)}),
        ({"UV_NO_INDEX": "1"}, set()),
        ({"UV_DEFAULT_INDEX": "https://Index.Example:8443/simple"}, {("index.example", 8443)}),
        ({"UV_DEFAULT_INDEX": "file:///srv/simple", "UV_FIND_LINKS": "/srv/wheels"}, set()),
        ({"UV_DEFAULT_INDEX": "own=http://user:word@a.example/x?y=z"}, {("a.example", 80)}),
        ({"UV_NO_INDEX": "1", "UV_FIND_LINKS": "/w,https://b.example/w"}, {("b.example", 443)}),
        (
            {"UV_NO_INDEX": "1", "UV_EXTRA_INDEX_URL": "https://c.example/s http://d.example"},
            {("c.example", 443), ("d.example", 80)},
        ),
        ({"UV_NO_INDEX": "1", MORE_HOSTS_VARIABLE: "E.example f.example:81"}, {("e.example", 443), ("f.example", 81)}),
    ],
)
def test_hosts_are_read_from_the_installers_settings(variables: dict[str, str], hosts: set[Host]) -> None:
    assert index_hosts(variables) == hosts
