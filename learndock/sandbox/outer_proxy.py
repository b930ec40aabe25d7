"""Requests of an installer, as its gate passes them on: to the host itself, or to the operator's own proxy."""

from __future__ import annotations

import base64
from dataclasses import dataclass
import socket
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from learndock.sandbox.index_hosts import Host

_CONNECT_SECONDS = 30.0
_PROXY_PORT = 3128
_ANSWER_BYTES = 16 * 1024
_OF_ONE_STEP = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:")


@dataclass(frozen=True)
class Request:
    """What an HTTP client asks of a proxy.

    Attributes
    ----------
    method, path
        In its first line; the path of a tunnel is empty.
    host
        Whom it is for.
    headers
        All lines after the first.
    """

    method: str
    path: str
    host: Host
    headers: tuple[bytes, ...]

    @property
    def is_tunnel(self) -> bool:
        """Whether bytes are carried both ways, unread."""
        return self.method == "CONNECT"

    @classmethod
    def parse(cls, head: bytes) -> Self:
        """The request in `head`; ValueError if it is none."""
        first, *headers = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
        method, target, _ = first.decode("ascii").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            return cls(method, "", _host(parts, 443), tuple(headers))
        parts = urlsplit(target)
        if method not in ("GET", "HEAD") or parts.scheme != "http":
            raise ValueError("That is not for a proxy.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(method, path, _host(parts, 80), tuple(headers))

    def line_and_headers(self, target: str) -> bytes:
        """As one request after which the other side hangs up."""
        kept = [line for line in self.headers if not line.lower().startswith(_OF_ONE_STEP)]
        return b"\r\n".join((f"{self.method} {target} HTTP/1.1".encode(), *kept, b"Connection: close", b"", b""))


def connected(request: Request) -> socket.socket:
    """A connection on which the answer to `request` comes; for a tunnel, on which nothing was said yet.

    Raises
    ------
    OSError
        The host, or the operator's proxy, cannot be reached.
    """
    proxy = _proxy_for(request)
    if proxy is None:
        remote = socket.create_connection(request.host, _CONNECT_SECONDS)
        if not request.is_tunnel:
            remote.sendall(request.line_and_headers(request.path))
        return remote
    if proxy.scheme != "http" or not proxy.hostname:
        raise OSError("Only HTTP proxies are known.")
    remote = socket.create_connection((proxy.hostname, proxy.port or _PROXY_PORT), _CONNECT_SECONDS)
    try:
        _ask(remote, request, proxy)
    except BaseException:
        remote.close()
        raise
    return remote


def _ask(remote: socket.socket, request: Request, proxy: SplitResult) -> None:
    name, port = request.host
    authority = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    credentials = _credentials(proxy)
    if not request.is_tunnel:
        asked = request.line_and_headers(f"http://{authority}{request.path}")
        remote.sendall(asked[:-2] + credentials + b"\r\n")
        return
    remote.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n".encode() + credentials + b"\r\n")
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = remote.recv(1)
        if not piece or len(answer) > _ANSWER_BYTES:
            raise OSError("The proxy does not answer.")
        answer += piece
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError("The proxy refuses.")


def _credentials(proxy: SplitResult) -> bytes:
    if proxy.username is None:
        return b""
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return b"Proxy-Authorization: Basic " + base64.b64encode(words.encode()) + b"\r\n"


def _proxy_for(request: Request) -> SplitResult | None:
    proxies = getproxies()
    address = proxies.get("https" if request.is_tunnel else "http") or proxies.get("all")
    if not address or proxy_bypass("{}:{}".format(*request.host), proxies):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def _host(parts: SplitResult, port: int) -> Host:
    if not parts.hostname:
        raise ValueError("The request names no host.")
    return parts.hostname.lower(), parts.port or port
