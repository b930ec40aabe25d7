"""A dock as in a cluster: two processes of every service, PostgreSQL with a replica, an S3 object store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
import time

from tests.support.dock import ENVIRONMENTS
from tests.support.postgres import PostgresServer, postgres_server, replica_of
from tests.support.processes import SERVICES, ServiceProcess, addresses_for
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, ObjectStore, free_ports, object_store

REPLICAS = 2
# As `minReadySeconds` of deploy/k8s: callers connect to the new replica before the next one goes.
_SETTLED_SECONDS = 3.0
# Machines of tests are busy.
_PREDICT_SECONDS = 120
_DATABASES = ("identity", "storage", "validator", "reuse")


class Cluster:
    """Replicas of every service, which callers balance between.

    Attributes
    ----------
    addresses
        Of each service all replicas, separated by commas.
    replicas
        Processes by service.
    """

    def __init__(self, folder: Path, primary: PostgresServer, standby: PostgresServer, store: ObjectStore) -> None:
        self._folder = folder
        self._stores = _store_settings(primary, standby, store)
        ports = iter(free_ports(REPLICAS * len(SERVICES)))
        own = {name: [f"127.0.0.1:{next(ports)}" for _ in range(REPLICAS)] for name in SERVICES}
        self.addresses = {name: ",".join(addresses) for name, addresses in own.items()}
        self.replicas = {
            name: [
                ServiceProcess(name, address, folder / f"{name}-{number}.log", self._settings(name, number))
                for number, address in enumerate(addresses)
            ]
            for name, addresses in own.items()
        }

    @property
    def admin_token(self) -> str:
        """Token of the first superadmin."""
        return (self._folder / "admin-token").read_text().strip()

    def start(self) -> None:
        """Start all, and wait until all serve."""
        for replicas in self.replicas.values():
            for process in replicas:
                process.launch()
        for replicas in self.replicas.values():
            for process in replicas:
                process.wait_ready()

    def stop(self) -> None:
        """End all."""
        processes = [process for replicas in self.replicas.values() for process in replicas]
        for process in processes:
            process.tell_to_stop()
        for process in processes:
            process.wait_stopped()

    def restart(self, service: str) -> None:
        """End and start one replica after the other, as an upgrade does."""
        for process in self.replicas[service]:
            process.tell_to_stop()
            process.wait_stopped()
            process.launch()
            process.wait_ready()
            time.sleep(_SETTLED_SECONDS)

    def kill(self, service: str, number: int) -> None:
        """Kill a replica without a chance to clean up, and start it again."""
        process = self.replicas[service][number]
        process.kill()
        process.launch()
        process.wait_ready()

    def _settings(self, name: str, number: int) -> dict[str, str]:
        settings = {**addresses_for(name, self.addresses), **self._stores.get(name, {})}
        if name != "spec":
            settings["DATA_DIR"] = str(self._folder / f"{name}-{number}")
        if name == "identity":
            settings["ADMIN_TOKEN_FILE"] = str(self._folder / "admin-token")
        if name in ("validator", "reuse"):
            settings |= {"ENVIRONMENTS_DIR": str(ENVIRONMENTS), "PREDICT_SECONDS": str(_PREDICT_SECONDS)}
        return settings


def _store_settings(primary: PostgresServer, standby: PostgresServer, store: ObjectStore) -> dict[str, dict[str, str]]:
    names = {service: primary.new_database() for service in _DATABASES}
    settings = {service: {"DATABASE_URL": primary.url(name)} for service, name in names.items()}
    settings["storage"] |= {
        "READ_DATABASE_URL": standby.url(names["storage"]),
        "S3_ENDPOINT": store.endpoint,
        "S3_ACCESS_KEY": ACCESS_KEY,
        "S3_SECRET_KEY": SECRET_KEY,
        "S3_SECURE": "false",
    }
    return settings


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start everything; end it all when the block ends."""
    with ExitStack() as stack:
        primary = stack.enter_context(postgres_server())
        standby = stack.enter_context(replica_of(primary))
        store = stack.enter_context(object_store(folder / "objects"))
        running = Cluster(folder, primary, standby, store)
        stack.callback(running.stop)
        running.start()
        yield running
