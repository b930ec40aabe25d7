"""A dock in one process: every service on a private loopback port of its own, and all of them on one public port.

The services call each other at their private addresses, as they would on a cluster; each has its own threads there, so
a call that fans out can never wait for a thread that waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import ipaddress
from pathlib import Path

from pydantic import SecretStr

from learndock.errors import InvalidInput, Reason
from learndock.sandbox.model_process import ModelProcess
from learndock.sandbox.spare import SpareModels
from learndock.serving import server
from learndock.serving.application import Application, Authenticator, Worker
from learndock.serving.audit import RemoteAuditLog
from learndock.serving.authentication import RemoteAuthenticator
from learndock.serving.peers import Peer
from services.allinone import console
from services.allinone.secret_file import secret_in
from services.console.web_server import WebServer
from services.identity import wiring as identity
from services.identity.config import Settings as IdentitySettings
from services.reuse import wiring as reuse
from services.reuse.config import Settings as ReuseSettings
from services.search import wiring as search
from services.search.config import Settings as SearchSettings
from services.spec import wiring as spec
from services.spec.config import Settings as SpecSettings
from services.storage import wiring as storage
from services.storage.config import Settings as StorageSettings
from services.validator import wiring as validator
from services.validator.config import Settings as ValidatorSettings

DEFAULT_LISTEN = "127.0.0.1:7450"
ADMIN_TOKEN_FILE = "admin-token"  # noqa: S105  # a file's name
_PRIVATE = "127.0.0.1:0"
_PUBLIC_THREADS = 64
_DRAIN_SECONDS = 5.0
# Validated models that wait for their reuse: how many, and for how long.
_SPARE_MODELS, _SPARE_SECONDS = 4, 300.0


@dataclass(frozen=True)
class Dock:
    """A running dock.

    Attributes
    ----------
    address
        Public address, host:port.
    admin_token_file
        File that holds the first superadmin's token.
    console_url
        Where a browser finds its pages; empty without them.
    """

    address: str
    admin_token_file: Path
    console_url: str
    _stop: Callable[[], None]

    def stop(self) -> None:
        """Drain and end every service."""
        self._stop()


def start(
    data_dir: Path, *, listen: str = DEFAULT_LISTEN, environments_dir: Path | None = None, console_listen: str = ""
) -> Dock:
    """Start every service with what it keeps in folders of `data_dir`.

    Parameters
    ----------
    data_dir
        Folder that holds everything.
    listen
        Loopback address to serve at.
    environments_dir
        Folder of installed requirements, which several docks may share; None for one in `data_dir`.
    console_listen
        Loopback address of the web pages; empty for none.

    Raises
    ------
    InvalidInput
        An address is not on loopback: one process without TLS is for one machine.
    Unavailable
        The address is in use.
    """
    for address in filter(None, (listen, console_listen)):
        _check_loopback(address)
    data_dir.mkdir(parents=True, exist_ok=True)
    dock = _Building(secret_in(data_dir / "service-token"))
    try:
        dock.build(data_dir.resolve(), (environments_dir or data_dir / "environments").resolve())
        public = dock.publish(listen)
        url = dock.show(data_dir.resolve(), public.address, console_listen) if console_listen else ""
        (data_dir / "console-address").write_text(url + "\n")
        (data_dir / "address").write_text(public.address + "\n")
    except BaseException:
        dock.stop()
        raise
    return Dock(public.address, data_dir / ADMIN_TOKEN_FILE, url, dock.stop)


class _Building:
    """The services of a dock, in the order in which they need each other."""

    def __init__(self, service_token: str) -> None:
        self._token = SecretStr(service_token)
        self._applications: list[Application] = []
        self._servers: list[server.RunningServer] = []
        self._authenticator: Authenticator | None = None
        self._audit: RemoteAuditLog | None = None
        self._identity: Peer | None = None
        self._console: WebServer | None = None
        self._spare: SpareModels[ModelProcess] | None = None

    def build(self, data_dir: Path, environments: Path) -> None:
        """Wire and start each service at a private address."""
        token = self._token
        identity_address = self._start(
            identity.build(
                IdentitySettings(
                    data_dir=data_dir / "identity",
                    admin_token_file=data_dir / ADMIN_TOKEN_FILE,
                    service_token=token,
                )
            )
        )
        self._identity = Peer(identity_address, token.get_secret_value())
        self._authenticator = RemoteAuthenticator(self._identity, token.get_secret_value())
        self._audit = RemoteAuditLog(self._identity)
        self._start(spec.build(SpecSettings(service_token=token)))
        storage_address = self._start(
            storage.build(StorageSettings(data_dir=data_dir / "storage", service_token=token))
        )
        reuse_settings = ReuseSettings(
            data_dir=data_dir / "reuse",
            environments_dir=environments,
            storage_address=storage_address,
            service_token=token,
        )
        self._spare = SpareModels(
            most=_SPARE_MODELS, idle_seconds=_SPARE_SECONDS, life_seconds=reuse_settings.limits.wall_seconds
        )
        self._start(
            validator.build(
                ValidatorSettings(
                    data_dir=data_dir / "validator",
                    environments_dir=environments,
                    storage_address=storage_address,
                    service_token=token,
                ),
                self._spare,
            )
        )
        self._start(
            search.build(
                SearchSettings(data_dir=data_dir / "search", storage_address=storage_address, service_token=token)
            )
        )
        self._start(reuse.build(reuse_settings, spare=self._spare))

    def publish(self, listen: str) -> server.RunningServer:
        """Start the workers, and serve all services at one address."""
        for worker in self._workers():
            worker.start()
        return self._serve(self._applications, listen, _PUBLIC_THREADS)

    def show(self, data_dir: Path, dock_address: str, listen: str) -> str:
        """Serve the web pages; their address, empty where it is in use."""
        self._console = console.start(data_dir, dock_address, listen)
        return self._console.url if self._console else ""

    def stop(self) -> None:
        """End everything: the web pages, the public server, what runs beside, then the private servers."""
        if self._console is not None:
            self._console.stop(_DRAIN_SECONDS)
        servers = self._servers[::-1]
        for running in servers[:1]:
            running.stop(_DRAIN_SECONDS)
        for worker in self._workers():
            worker.stop(_DRAIN_SECONDS)
        if self._spare is not None:
            self._spare.close()
        for running in servers[1:]:
            running.stop(_DRAIN_SECONDS)
        for application in reversed(self._applications):
            application.close()
        if self._identity is not None:
            self._identity.close()

    def _workers(self) -> list[Worker]:
        workers = [worker for application in self._applications for worker in application.workers]
        return [*workers, self._audit] if self._audit is not None else workers

    def _start(self, application: Application) -> str:
        self._applications.append(application)
        return self._serve([application], _PRIVATE, 32).address

    def _serve(self, applications: Sequence[Application], listen: str, threads: int) -> server.RunningServer:
        # The identity service comes first; it tells callers apart and keeps the audit log itself.
        authenticator = self._authenticator or applications[0].authenticator
        audit = self._audit or applications[0].audit
        assert authenticator is not None  # noqa: S101  # by the order in `build`
        assert audit is not None  # noqa: S101
        running = server.start(
            applications, listen=listen, authenticator=authenticator, audit=audit, terms=server.Terms(threads=threads)
        )
        self._servers.append(running)
        return running


def _check_loopback(listen: str) -> None:
    host = listen.rpartition(":")[0].strip("[]")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InvalidInput(
            Reason.FIELD_INVALID,
            f"All services in one process serve on loopback only, not on {host or 'every interface'}; "
            "to serve a network, run the services each on its own.",
            field="listen",
        )
