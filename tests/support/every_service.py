"""Every service of a dock on one channel, for tests that walk all methods; nothing is validated or run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from learndock.account import Role, User
from learndock.serving.application import Application
from learndock.serving.sql import Database, now
from learndock.v1 import types_pb2
from services.identity import store
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
from tests.support.reuse import PlainLauncher
from tests.support.serving import SERVICE_TOKEN, Served, serve
from tests.support.storage import Storage

PEOPLE = {"owner": Role.USER, "other": Role.USER, "adm": Role.ADMIN, "sup": Role.SUPERADMIN}
"""Accounts that the dock has, by id and name."""


@dataclass(frozen=True)
class EveryService:
    """All services at one address, told apart callers by `RoleTokens`.

    Attributes
    ----------
    served
        Where.
    storage
        Its storage, with what makes learnwares.
    """

    served: Served
    storage: Storage

    def private_learnware(self, data: bytes) -> str:
        """Id of a verified, private learnware of the user `owner`."""
        learnware_id = str(
            self.storage.submit(
                self.storage.stub(Role.USER, "owner"), data, visibility=types_pb2.VISIBILITY_PRIVATE
            ).learnware.learnware_id
        )
        self.storage.verdict(learnware_id, types_pb2.VERSION_STATE_VERIFIED)
        return learnware_id


@contextmanager
def every_service(folder: Path) -> Iterator[EveryService]:
    """Serve them until the block ends; of what runs beside, only search's follower does."""
    secret = SecretStr(SERVICE_TOKEN)
    with ExitStack() as stack:
        stored = storage.build(StorageSettings(data_dir=folder / "storage", service_token=secret, poll_seconds=0.05))
        address = stack.enter_context(serve(stored, workers=False)).address
        searching = search.build(
            SearchSettings(data_dir=folder / "search", storage_address=address, service_token=secret)
        )
        applications = [stored, searching, *_others(folder, address, secret)]
        served = stack.enter_context(serve(*applications, workers=False))
        _enter_people(folder)
        stack.enter_context(_started(searching))
        yield EveryService(served, Storage(served, folder))


def _others(folder: Path, storage_address: str, secret: SecretStr) -> Sequence[Application]:
    return [
        spec.build(SpecSettings(service_token=secret)),
        validator.build(
            ValidatorSettings(data_dir=folder / "validator", storage_address=storage_address, service_token=secret)
        ),
        reuse.build(
            ReuseSettings(
                data_dir=folder / "reuse",
                storage_address=storage_address,
                service_token=secret,
                max_reusers=1000,
                max_reusers_per_user=100,
            ),
            open_package=PlainLauncher().open,
        ),
        identity.build(IdentitySettings(data_dir=folder / "identity", service_token=secret)),
    ]


def _enter_people(folder: Path) -> None:
    database = Database(IdentitySettings(data_dir=folder / "identity").database)
    with database.write() as session:
        for name, role in PEOPLE.items():
            store.add_user(session, User(name, name, role, now()))
    database.close()


@contextmanager
def _started(application: Application) -> Iterator[None]:
    for worker in application.workers:
        worker.start()
    try:
        yield
    finally:
        for worker in application.workers:
            worker.stop(5.0)
