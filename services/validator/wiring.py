"""The validator service, wired."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from learndock.sandbox.executor import Limits
from learndock.sandbox.model_process import ModelProcess
from learndock.sandbox.spare import SpareModels
from learndock.sandbox.spare import Terms as SpareTerms
from learndock.serving.application import Application, Servicer
from learndock.serving.changes import Changes
from learndock.serving.paging import PageTokens
from learndock.serving.sql import Database, migrate
from learndock.v1 import validator_service_pb2_grpc as rpc
from services.validator.catalogue import CallersCatalogue, Catalogue
from services.validator.config import Settings
from services.validator.dry_runs import DryRuns
from services.validator.follower import Follower
from services.validator.sandboxes import Sandboxes, Sweeper
from services.validator.servicer import ValidatorServicer
from services.validator.validations import Validations
from services.validator.workers import Handover, Terms, Workers


def build(settings: Settings, spare: SpareModels[ModelProcess] | None = None) -> Application:
    """Validator service on its database, with the sandbox that this machine offers.

    Parameters
    ----------
    settings
        Its settings.
    spare
        Where models of verified packages go on to wait for their reuse; None to have them ended.
    """
    migrate(settings.database, Path(__file__).parent / "migrations")
    database = Database(settings.database)
    storage = settings.peer(settings.storage_address)
    catalogue = Catalogue(storage.as_service)
    sandboxes = Sandboxes(settings, settings.limits if spare is None else _longer(settings.limits, spare))
    changes = Changes()
    validations = Validations(
        database, catalogue, CallersCatalogue(storage.as_caller), changes, PageTokens(settings.page_secret)
    )
    dry_runs = DryRuns(
        sandboxes,
        settings.data_dir / "dry-runs",
        at_a_time=settings.dry_runs,
        max_bytes=settings.max_package_bytes,
        predict_seconds=settings.predict_seconds,
    )
    terms = Terms(
        workers=settings.workers,
        lease_seconds=settings.lease_seconds,
        max_faults=settings.max_faults,
        retry_seconds=settings.retry_seconds,
        predict_seconds=settings.predict_seconds,
    )
    handover = _handover(spare, SpareTerms(settings.executor, settings.limits)) if spare is not None else None
    workers = Workers(database, catalogue, sandboxes, changes, settings.data_dir / "packages", terms, handover)

    def close() -> None:
        storage.close()
        database.close()

    servicer = ValidatorServicer(validations, dry_runs)
    return Application(
        name="validator",
        max_message_bytes=settings.max_message_bytes,
        servicers=(Servicer("learndock.v1.ValidatorService", servicer, rpc.add_ValidatorServiceServicer_to_server),),
        workers=(Follower(database, catalogue, changes), workers, Sweeper(sandboxes)),
        close=close,
        dependencies={"database": database.ping},
    )


def _handover(spare: SpareModels[ModelProcess], terms: SpareTerms) -> Handover:
    return lambda sha256, model: spare.offer(sha256, model, terms)


def _longer(limits: Limits, spare: SpareModels[ModelProcess]) -> Limits:
    """A sandbox that may go on to serve a reuser lives as long as one that was started for it."""
    return replace(limits, wall_seconds=limits.wall_seconds + spare.extra_seconds)
