"""Puts the search service together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
import logging
import os

from learndock.errors import Unavailable
from learndock.extras import version_of
from learndock.serving.application import Application, Servicer, Worker
from learndock.v1.search_service_pb2_grpc import add_SearchServiceServicer_to_server
from services.search.config import Settings
from services.search.copier import Copier
from services.search.desk import SearchDesk
from services.search.engines.local import local_engine
from services.search.engines.port import ScoringEngine
from services.search.follower import Follower
from services.search.live import LiveIndex, SavedState
from services.search.packs import Pack, remove_other_packs
from services.search.search_counts import SearchCounter
from services.search.servicer import SearchServicer
from services.search.snapshot import SnapshotFile
from services.search.snapshot_copies import SnapshotCopies
from services.search.source import CatalogueSource
from services.search.turns import Turns, compute_on_one_processor, compute_undisturbed
from services.search.upkeep import Upkeep
from services.search.words import Words

SEARCH_METHOD = "/learndock.v1.SearchService/Search"
# Searches at a time whose scores are computed by other machines, or by a device that scans for several at once.
_AT_ONCE_ELSEWHERE = 16

_log = logging.getLogger("learndock.search")


def build(settings: Settings) -> Application:
    """The search service, as told by its settings; the last snapshot is read at once."""
    compute_on_one_processor()
    compute_undisturbed()
    words = Words(settings.data_dir / "words.sqlite")
    packs = settings.data_dir / "packs"
    snapshots = SnapshotFile(settings.data_dir / "index.snapshot", packs)
    bucket = replace(settings.bucket, prefix=settings.s3_prefix)
    copies = SnapshotCopies(bucket, snapshots) if settings.s3_endpoint else None
    saved = _saved(snapshots, copies)
    pack = saved.pack if saved is not None else Pack.new(packs)
    remove_other_packs(pack)
    engine = _engine(settings)
    live = LiveIndex(words, pack, engine)
    if saved is not None:
        live.restore(saved)
    storage = settings.peer(settings.storage_address)
    follower = Follower(live, CatalogueSource(storage))
    upkeep = Upkeep(live, snapshots, snapshot_seconds=settings.snapshot_seconds)
    counter = SearchCounter(settings.data_dir / "searches.json")
    desk = SearchDesk(live, engine, _turns(settings), exhaustive_below=settings.exhaustive_below, counter=counter)

    def close() -> None:
        storage.close()
        words.close()
        live.close()
        engine.close()
        counter.close()

    return Application(
        name="search",
        servicers=(
            Servicer("learndock.v1.SearchService", SearchServicer(desk, follower), add_SearchServiceServicer_to_server),
        ),
        workers=(follower, upkeep, *_copiers(settings, snapshots, copies)),
        close=close,
        max_message_bytes=settings.max_message_bytes,
        places={SEARCH_METHOD: settings.max_searches},
        dependencies={"index": follower.check_caught_up},
    )


def _saved(snapshots: SnapshotFile, copies: SnapshotCopies | None) -> SavedState | None:
    """The index as this machine saved it, or else as another did; None where it must be made of the catalogue."""
    saved = snapshots.load()
    if saved is not None or copies is None:
        return saved
    try:
        return snapshots.load() if copies.fetch() else None
    except Unavailable as error:
        _log.warning("copy_unavailable", extra={"error": repr(error.__cause__)})
        return None


def _copiers(settings: Settings, snapshots: SnapshotFile, copies: SnapshotCopies | None) -> tuple[Worker, ...]:
    return (Copier(copies, snapshots, timedelta(minutes=settings.copy_minutes)),) if copies is not None else ()


def _turns(settings: Settings) -> Turns:
    """Turns at computing: where others compute, many wait for them at a time."""
    here = settings.engine == "local" and not settings.device
    at_once = settings.searches_at_once or (len(os.sched_getaffinity(0)) if here else _AT_ONCE_ELSEWHERE)
    return Turns(at_once)


def _engine(settings: Settings) -> ScoringEngine:
    match settings.engine:
        case "local":
            return local_engine(settings.device)
        case "ray":
            return _ray_engine(settings)


def _ray_engine(settings: Settings) -> ScoringEngine:
    version_of("ray", "ray")
    from services.search.engines.ray import RayEngine, RaySettings  # only where it is asked for: it is an extra

    return RayEngine(
        RaySettings(
            address=settings.ray_address,
            shards=settings.ray_shards,
            replicas=settings.ray_replicas,
            cpus=settings.ray_shard_cpus,
            gpus=settings.ray_shard_gpus,
            device=settings.device,
        )
    )
