"""StorageService over catalogue, uploads and packages."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from sqlalchemy.orm import Session

from learndock.learnware import LearnwareVersion
from learndock.serving import caller
from learndock.serving.paging import PageTokens, page_size
from learndock.serving.sql import Database
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import storage_service_pb2_grpc as rpc
from learndock.wire import learnware_to_message, version_to_message
from services.storage import catalogue, messages
from services.storage.blobs import BlobStore
from services.storage.changes import ChangeFeed
from services.storage.download import package_address, read_package
from services.storage.integrity import IntegrityCheck
from services.storage.listing import ListQuery, Totals, list_page
from services.storage.quotas import Quotas
from services.storage.requests import AnsweredRequests
from services.storage.submission import PackageDesk
from services.storage.summary import summarise
from services.storage.uploads import Uploads
from services.storage.verdicts import record_verdict

Context = grpc.ServicerContext


class StorageServicer(rpc.StorageServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        uploads: Uploads,
        quotas: Quotas,
        feed: ChangeFeed,
        integrity: IntegrityCheck,
        pages: PageTokens,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._uploads = uploads
        self._quotas = quotas
        self._feed = feed
        self._integrity = integrity
        self._pages = pages
        self._totals = Totals()
        self._requests = AnsweredRequests(database, feed)
        self._desk = PackageDesk(database, blobs, uploads)

    def StartUpload(self, request: pb.StartUploadRequest, context: Context) -> pb.StartUploadResponse:
        """Begin an upload."""
        principal = caller.current()

        def make(session: Session) -> pb.StartUploadResponse:
            if request.learnware_id:
                catalogue.living_learnware(session, principal, request.learnware_id)
            self._quotas.refuse_excess(session, principal, request.size_bytes, request.learnware_id)
            upload = self._uploads.start(
                session,
                principal,
                size_bytes=request.size_bytes,
                learnware_id=request.learnware_id,
                sha256=request.sha256,
            )
            return pb.StartUploadResponse(upload=messages.upload_to_message(upload))

        return self._requests.answer(principal, request, pb.StartUploadResponse, make)

    def WriteUpload(
        self, request_iterator: Iterator[pb.WriteUploadRequest], context: Context
    ) -> pb.WriteUploadResponse:
        """Append bytes."""
        upload_id, requests = messages.first_upload_id(request_iterator)
        chunks = messages.chunks_from_messages(upload_id, requests)
        upload = self._uploads.write(caller.current(), upload_id, chunks)
        return pb.WriteUploadResponse(upload=messages.upload_to_message(upload))

    def GetUpload(self, request: pb.GetUploadRequest, context: Context) -> pb.GetUploadResponse:
        """Tell how far an upload is."""
        upload = self._uploads.get(caller.current(), request.upload_id)
        return pb.GetUploadResponse(upload=messages.upload_to_message(upload))

    def FinishUpload(self, request: pb.FinishUploadRequest, context: Context) -> pb.FinishUploadResponse:
        """Check and enter a package."""
        principal = caller.current()

        def work() -> pb.FinishUploadResponse:
            submission = messages.submission_from_message(request, self._uploads.get(principal, request.upload_id))
            with self._desk.examined(principal, submission) as inspection:
                return self._requests.answer(
                    principal,
                    request,
                    pb.FinishUploadResponse,
                    lambda session: messages.entered_to_message(
                        *self._desk.enter(session, principal, submission, inspection)
                    ),
                )

        return self._requests.made(principal, request, pb.FinishUploadResponse, work)

    def CancelUpload(self, request: pb.CancelUploadRequest, context: Context) -> pb.CancelUploadResponse:
        """Forget an upload."""
        self._uploads.cancel(self._uploads.get(caller.current(), request.upload_id).upload_id)
        return pb.CancelUploadResponse()

    def GetQuota(self, request: pb.GetQuotaRequest, context: Context) -> pb.GetQuotaResponse:
        """Tell what a user may keep."""
        with self._database.read() as session:
            quota = self._quotas.shown(session, caller.current(), request.user_id)
        return pb.GetQuotaResponse(quota=messages.quota_to_message(quota))

    def UpdateQuota(self, request: pb.UpdateQuotaRequest, context: Context) -> pb.UpdateQuotaResponse:
        """Give a user other limits."""
        with self._database.write() as session:
            quota = self._quotas.override(session, request.user_id, messages.allowance_from_message(request.limit))
        return pb.UpdateQuotaResponse(quota=messages.quota_to_message(quota))

    def GetLearnware(self, request: pb.GetLearnwareRequest, context: Context) -> pb.GetLearnwareResponse:
        """Tell one learnware."""
        with self._database.read() as session:
            learnware = catalogue.get_learnware(session, caller.current(), request.learnware_id)
        return pb.GetLearnwareResponse(learnware=learnware_to_message(learnware))

    def ListLearnwares(self, request: pb.ListLearnwaresRequest, context: Context) -> pb.ListLearnwaresResponse:
        """Tell a page of learnwares."""
        query = ListQuery(request.filter, request.order_by, request.show_deleted)
        size = page_size(request.page_size)
        with self._database.read_replica() as session:
            page = list_page(
                session,
                caller.current(),
                query,
                pages=self._pages,
                totals=self._totals,
                page_token=request.page_token,
                size=size,
            )
        return messages.page_to_message(page)

    def UpdateLearnware(self, request: pb.UpdateLearnwareRequest, context: Context) -> pb.UpdateLearnwareResponse:
        """Change a learnware."""
        fields = messages.changed_fields(request.learnware, request.update_mask)
        changed = messages.change_from_message(request.learnware)
        with self._feed.transaction() as session:
            learnware = catalogue.update_learnware(session, caller.current(), changed, fields)
        return pb.UpdateLearnwareResponse(learnware=learnware_to_message(learnware))

    def DeleteLearnware(self, request: pb.DeleteLearnwareRequest, context: Context) -> pb.DeleteLearnwareResponse:
        """Hide a learnware."""
        principal = caller.current()

        def make(session: Session) -> pb.DeleteLearnwareResponse:
            learnware = catalogue.delete_learnware(session, principal, request.learnware_id)
            return pb.DeleteLearnwareResponse(learnware=learnware_to_message(learnware))

        return self._requests.answer(principal, request, pb.DeleteLearnwareResponse, make)

    def UndeleteLearnware(self, request: pb.UndeleteLearnwareRequest, context: Context) -> pb.UndeleteLearnwareResponse:
        """Restore a learnware."""
        with self._feed.transaction() as session:
            learnware = catalogue.undelete_learnware(session, caller.current(), request.learnware_id)
        return pb.UndeleteLearnwareResponse(learnware=learnware_to_message(learnware))

    def GetVersion(self, request: pb.GetVersionRequest, context: Context) -> pb.GetVersionResponse:
        """Tell one version."""
        with self._database.read() as session:
            version = catalogue.get_version(session, caller.current(), request.learnware_id, request.version)
        return pb.GetVersionResponse(version=version_to_message(version))

    def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.ListVersionsResponse:
        """Tell the versions of a learnware."""
        with self._database.read() as session:
            versions = catalogue.list_versions(session, caller.current(), request.learnware_id)
        return pb.ListVersionsResponse(versions=[version_to_message(version) for version in versions])

    def GetSpecification(self, request: pb.GetSpecificationRequest, context: Context) -> pb.GetSpecificationResponse:
        """Tell the statistical specification of a version."""
        with self._database.read_replica() as session:
            stored, outputs = catalogue.get_specification(
                session, caller.current(), request.learnware_id, request.version
            )
        return messages.specification_message(stored, outputs)

    def DownloadPackage(
        self, request: pb.DownloadPackageRequest, context: Context
    ) -> Iterator[pb.DownloadPackageResponse]:
        """Give a package's bytes."""
        with self._database.read() as session:
            version = catalogue.get_version(session, caller.current(), request.learnware_id, request.version)
        first: LearnwareVersion | None = version
        for offset, data in read_package(self._blobs, version, request.offset):
            yield messages.piece_to_message(offset, data, first)
            first = None

    def GetDownloadUrl(self, request: pb.GetDownloadUrlRequest, context: Context) -> pb.GetDownloadUrlResponse:
        """Tell where a package's bytes are served without the dock."""
        with self._database.read() as session:
            version = catalogue.get_version(session, caller.current(), request.learnware_id, request.version)
        address = package_address(self._blobs, version, request.lifetime_seconds)
        return messages.address_to_message(address)

    def WatchChanges(self, request: pb.WatchChangesRequest, context: Context) -> Iterator[pb.WatchChangesResponse]:
        """Tell changes as they happen."""
        yield from self._feed.follow(request.after_sequence)

    def RecordVerdict(self, request: pb.RecordVerdictRequest, context: Context) -> pb.RecordVerdictResponse:
        """Move a version."""
        verdict = messages.verdict_from_message(request)
        with self._feed.transaction() as session:
            version = record_verdict(session, caller.current(), request.learnware_id, request.version, verdict)
        return pb.RecordVerdictResponse(version=version_to_message(version))

    def GetVocabulary(self, request: pb.GetVocabularyRequest, context: Context) -> pb.GetVocabularyResponse:
        """Tell the vocabulary."""
        return messages.vocabulary_to_message()

    def GetCatalogueSummary(
        self, request: pb.GetCatalogueSummaryRequest, context: Context
    ) -> pb.GetCatalogueSummaryResponse:
        """Count learnwares."""
        with self._database.read_replica() as session:
            return summarise(session)

    def CheckIntegrity(
        self, request: pb.CheckIntegrityRequest, context: Context
    ) -> Iterator[pb.CheckIntegrityResponse]:
        """Tell what is wrong."""
        for fault in self._integrity.run(read_packages=request.read_packages, repair=request.repair):
            yield messages.fault_to_message(fault)
