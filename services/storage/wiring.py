"""The storage service, wired."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from learndock.quota import Allowance
from learndock.serving.application import Application, Servicer
from learndock.serving.heap import keep_freed_blocks
from learndock.serving.paging import PageTokens
from learndock.serving.s3 import Bucket
from learndock.serving.sql import Database, migrate
from learndock.v1 import storage_service_pb2_grpc as rpc
from services.storage.backup_places import BackupPlace, BucketPlace, FolderPlace
from services.storage.blobs import BlobStore, FolderBlobs
from services.storage.bucket_staging import BucketStaging
from services.storage.changes import ChangeFeed
from services.storage.collection import Collection
from services.storage.config import Settings
from services.storage.forwarding import Forwarding
from services.storage.housekeeping import Housekeeping
from services.storage.integrity import IntegrityCheck
from services.storage.quotas import Quotas
from services.storage.s3_blobs import S3Blobs
from services.storage.s3_drafts import S3Drafts
from services.storage.scrub import Scrub
from services.storage.servicer import StorageServicer
from services.storage.staging import FolderStaging, Staging
from services.storage.uploads import UploadLimits, Uploads

MIGRATIONS = Path(__file__).parent / "migrations"


def open_blobs(settings: Settings) -> BlobStore:
    """Where packages lie: in a bucket when one is set, else in a folder."""
    return S3Blobs(_bucket(settings)) if settings.s3_endpoint else FolderBlobs(settings.blob_dir)


def open_backups(settings: Settings, address: str) -> BackupPlace:
    """Where backups lie: `s3://BUCKET/PREFIX` or a folder."""
    if not address.startswith("s3://"):
        return FolderPlace(Path(address))
    name, _, prefix = address.removeprefix("s3://").partition("/")
    place = _backup_bucket(settings, name) if settings.backup_s3_endpoint else replace(_bucket(settings), name=name)
    return BucketPlace(replace(place, prefix=f"{prefix.rstrip('/')}/" if prefix else ""))


def open_staging(settings: Settings, database: Database, forwarding: Forwarding) -> Staging:
    """Where uploads lie: in the bucket when other replicas may share it and the database, else in a folder."""
    if settings.s3_endpoint and database.dialect == "postgresql":
        return BucketStaging(database, S3Drafts(_bucket(settings)), settings.upload_dir)
    return FolderStaging(settings.upload_dir, forwarding)


def _quotas(settings: Settings) -> Quotas:
    return Quotas(
        Allowance(
            bytes=settings.max_user_bytes,
            learnwares=settings.max_user_learnwares,
            versions=settings.max_user_versions,
            uploads=settings.max_open_uploads,
        )
    )


def _bucket(settings: Settings) -> Bucket:
    return replace(settings.bucket, public_endpoint=settings.s3_public_endpoint)


def _backup_bucket(settings: Settings, name: str) -> Bucket:
    return Bucket(
        settings.backup_s3_endpoint,
        name,
        settings.backup_s3_access_key.get_secret_value(),
        settings.backup_s3_secret_key.get_secret_value(),
        region=settings.backup_s3_region,
        secure=settings.backup_s3_secure,
        timeout_seconds=settings.s3_timeout_seconds,
    )


def build(settings: Settings) -> Application:
    """Storage service on its database and folder."""
    keep_freed_blocks()
    migrate(settings.database, MIGRATIONS)
    database = Database(settings.database, settings.read_database_url)
    blobs = open_blobs(settings)
    limits = UploadLimits(settings.max_package_bytes, timedelta(hours=settings.upload_hours))
    uploads = Uploads(database, open_staging(settings, database, Forwarding(blobs)), limits)
    collection = Collection(database, blobs, timedelta(hours=settings.orphan_hours))
    feed = ChangeFeed(database, settings.poll_seconds)
    servicer = StorageServicer(
        database,
        blobs,
        uploads,
        _quotas(settings),
        feed,
        IntegrityCheck(database, feed, blobs, collection),
        PageTokens(settings.page_secret),
    )
    housekeeping = Housekeeping(
        database,
        collection,
        uploads,
        undelete_window=timedelta(days=settings.undelete_days),
        change_retention=timedelta(days=settings.change_days),
        interval_seconds=settings.sweep_seconds,
    )
    scrub = Scrub(
        database,
        blobs,
        bytes_per_second=settings.scrub_mib_per_second * 2**20,
        interval_seconds=timedelta(days=settings.scrub_days).total_seconds(),
    )
    return Application(
        name="storage",
        max_message_bytes=settings.max_message_bytes,
        servicers=(Servicer("learndock.v1.StorageService", servicer, rpc.add_StorageServiceServicer_to_server),),
        workers=(housekeeping, scrub),
        close=database.close,
        dependencies={"database": database.ping, "packages": lambda: blobs.stat("0" * 64)},
    )
