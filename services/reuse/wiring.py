"""The reuse service, wired."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

from learndock.errors import FailedPrecondition
from learndock.sandbox.choice import choose_executor
from learndock.sandbox.environment import EnvironmentCache
from learndock.sandbox.launcher import LearnwareLauncher
from learndock.sandbox.model_process import ModelProcess
from learndock.sandbox.spare import SpareModels, Terms
from learndock.serving.application import Application, Servicer
from learndock.serving.changes import Changes
from learndock.serving.paging import PageTokens
from learndock.serving.sql import Database, migrate
from learndock.v1 import reuse_service_pb2_grpc as rpc
from services.reuse.access import Access
from services.reuse.catalogue import Catalogue, Downloads
from services.reuse.config import Settings
from services.reuse.creation import Creation
from services.reuse.expiry import Expiry
from services.reuse.live import LiveReusers
from services.reuse.packages import PackageCache
from services.reuse.preparation import Preparation
from services.reuse.reusers import Quota, Reusers
from services.reuse.servicer import ReuseServicer
from services.reuse.warm_models import Allowance, OpenPackage, WarmModels


def build(
    settings: Settings, open_package: OpenPackage | None = None, spare: SpareModels[ModelProcess] | None = None
) -> Application:
    """Reuse service on its database.

    Parameters
    ----------
    settings
        Its settings.
    open_package
        Starts the model of a package; the sandbox's launcher when not given.
    spare
        Models that validations in this process have left running.
    """
    migrate(settings.database, Path(__file__).parent / "migrations")
    database = Database(settings.database)
    storage = settings.peer(settings.storage_address)
    packages = PackageCache(settings.data_dir / "packages", Downloads(storage.as_service), settings.max_cache_bytes)
    allowance = Allowance(settings.max_sandboxes, settings.predict_seconds, settings.sandbox_life_seconds)
    terms = Terms(settings.executor, settings.limits)
    models = WarmModels(
        packages.held,
        open_package or _sandboxed(settings),
        allowance,
        lambda sha256: spare.take(sha256, terms) if spare is not None else None,
    )
    live = LiveReusers(models)
    changes = Changes()
    quota = Quota(
        per_user=settings.max_reusers_per_user,
        total=settings.max_reusers,
        idle_seconds=settings.idle_seconds,
        sleep_seconds=settings.sleep_seconds,
        answer_seconds=settings.predict_seconds,
    )
    catalogue = Catalogue(storage.as_caller)
    reusers = Reusers(database, live, changes, quota, Access(catalogue, settings.recheck_seconds))
    preparation = Preparation(database, live, changes, settings.prepare_threads)
    creation = Creation(database, catalogue, reusers, preparation)
    servicer = ReuseServicer(creation, reusers, PageTokens(settings.page_secret))

    def close() -> None:
        live.drop_all_but(())
        storage.close()
        database.close()

    return Application(
        name="reuse",
        max_message_bytes=settings.max_message_bytes,
        servicers=(Servicer("learndock.v1.ReuseService", servicer, rpc.add_ReuseServiceServicer_to_server),),
        workers=(preparation, Expiry(reusers, settings.expiry_interval_seconds)),
        close=close,
        dependencies={"database": database.ping},
    )


def _sandboxed(settings: Settings) -> OpenPackage:
    """Opens packages in a sandbox."""

    @cache
    def launcher() -> LearnwareLauncher:
        made = LearnwareLauncher(
            choose_executor(settings.executor, settings.cluster),
            EnvironmentCache(
                settings.environments,
                constraints=settings.constraints,
                max_bytes=settings.max_environments_bytes,
                pins=settings.pins,
            ),
            settings.data_dir / "work",
            settings.limits,
        )
        made.sweep()
        return made

    with suppress(FailedPrecondition):  # a dock without a sandbox still starts, and each reuser says what is missing
        launcher()
    return lambda package: launcher().open(package)
