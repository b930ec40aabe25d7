"""Which hosts a package index is made of: its own, and those from which its files come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

Host = tuple[str, int]
"""Name in lower case, and port."""

MORE_HOSTS_VARIABLE = "LEARNDOCK_INDEX_HOSTS"
"""Further hosts, `name` or `name:port` with blanks between: where an index keeps its files elsewhere."""

_PORTS = {"https": 443, "http": 80}
_PYPI = "https://pypi.org/simple"
# An index that keeps its files on another host, as everybody knows it.
_FILES_OF: Mapping[Host, Host] = {("pypi.org", 443): ("files.pythonhosted.org", 443)}
_DEFAULTS = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
_OTHERS = ("UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS")


def index_hosts(variables: Mapping[str, str]) -> frozenset[Host]:
    """All hosts that an installer with these variables, uv's and ours, has to reach."""
    named = {host for word in _addresses(variables) if (host := _host(word)) is not None}
    files = {_FILES_OF[host] for host in named if host in _FILES_OF}
    return frozenset(named | files | set(_more(variables)))


def _addresses(variables: Mapping[str, str]) -> Iterator[str]:
    if not variables.get("UV_NO_INDEX"):
        yield next((variables[name] for name in _DEFAULTS if variables.get(name)), _PYPI)
    for name in _OTHERS:
        yield from variables.get(name, "").replace(",", " ").split()


def _host(address: str) -> Host | None:
    parts = urlsplit(address.partition("=")[2] if _has_a_name(address) else address)
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname.lower(), parts.port or _PORTS[parts.scheme]


def _has_a_name(address: str) -> bool:
    """Whether it is written `name=address`, as uv lets indexes be named."""
    return "://" in address and "=" in address.partition("://")[0]


def _more(variables: Mapping[str, str]) -> Iterator[Host]:
    for word in variables.get(MORE_HOSTS_VARIABLE, "").split():
        name, _, port = word.partition(":")
        yield name.lower(), int(port) if port.isdigit() else _PORTS["https"]
