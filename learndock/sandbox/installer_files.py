"""Which files an installer may reach: the system's and Python's programs, what the operator named, uv's own cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
import re
import sys
from urllib.parse import unquote, urlsplit

_SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/libx32")
# How names are looked up, whom to trust, and what the machine offers.
_SETTINGS = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/passwd",
    "/etc/localtime",
    "/etc/os-release",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup",
    "/dev/urandom",
)
_NAMED_BY_THE_OPERATOR = ("UV_FIND_LINKS", "UV_CONSTRAINT", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX")
_DEVICES = ("/dev/null",)


def readable(variables: Mapping[str, str], program: str) -> list[Path]:
    """What uv may read and execute.

    Parameters
    ----------
    variables
        Environment variables that it gets.
    program
        Path of uv.
    """
    pythons = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent}
    home = Path(variables.get("HOME", "/nonexistent"))
    return [
        *map(Path, (*_SYSTEM, *_SETTINGS)),
        *pythons,
        *(folder.resolve() for folder in pythons),
        Path(program),
        Path(program).resolve(),
        Path(variables.get("NETRC", home / ".netrc")),  # credentials of the index
        *_named(variables),
    ]


def writable(variables: Mapping[str, str]) -> list[Path]:
    """Where uv keeps what it has fetched; made when missing."""
    home = Path(variables.get("HOME") or Path.home())
    shared = Path(variables.get("XDG_CACHE_HOME") or home / ".cache")
    cache = Path(variables.get("UV_CACHE_DIR") or shared / "uv")
    cache.mkdir(parents=True, exist_ok=True)
    return [cache, *map(Path, _DEVICES)]


def _named(variables: Mapping[str, str]) -> Iterator[Path]:
    for name in _NAMED_BY_THE_OPERATOR:
        yield from (_path(word) for word in re.split(r"[,\s]+", variables.get(name, "")) if "/" in word)
    for name in _INDEXES:
        for word in variables.get(name, "").split():
            address = word.rpartition("=")[2] if "=file:" in word else word
            if address.startswith(("file:", "/")):
                yield _path(address.rstrip("/")).parent  # an index names files that lie beside it


def _path(word: str) -> Path:
    return Path(unquote(urlsplit(word).path)) if word.startswith("file:") else Path(word)
