"""Learnwares in the catalogue: submit, read, change, delete, bring home."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
import uuid

import numpy as np
from numpy.typing import NDArray

from learndock.client import transfer
from learndock.client.messages import quota_from_message
from learndock.client.transfer import Progress
from learndock.learnware import Learnware, LearnwareVersion, SemanticSpecification, Visibility
from learndock.quota import Allowance, Quota
from learndock.rkme.specification import Specification
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1 import types_pb2
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import (
    learnware_from_message,
    semantic_to_message,
    specification_from_message,
    tensor_from_message,
    version_from_message,
    visibility_to_message,
)

_PAGE_SIZE = 200
_FINISH_SECONDS = 300.0  # the dock reads and checks the whole package


class Catalogue:
    """The storage service, as its callers see it."""

    def __init__(self, stub: StorageServiceStub) -> None:
        self._stub = stub

    def submit(
        self,
        path: Path,
        *,
        semantic: SemanticSpecification | None,
        visibility: Visibility,
        learnware_id: str,
        progress: Progress,
    ) -> Learnware:
        """Upload a package and enter it."""
        sent = transfer.upload(self._stub, path, learnware_id=learnware_id, progress=progress)
        answer = self._stub.FinishUpload(
            pb.FinishUploadRequest(
                upload_id=sent.upload_id,
                sha256=sent.sha256,
                semantic_specification=semantic_to_message(semantic) if semantic else None,
                visibility=visibility_to_message(visibility),
                request_id=uuid.uuid4().hex,
            ),
            timeout=_FINISH_SECONDS,
        )
        return learnware_from_message(answer.learnware)

    def get(self, learnware_id: str) -> Learnware:
        """One learnware."""
        answer = self._stub.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id))
        return learnware_from_message(answer.learnware)

    def iterate(self, *, filter_: str, order_by: str, show_deleted: bool) -> Iterator[Learnware]:
        """All learnwares that pass, page by page."""
        page_token = ""
        while True:
            page = self._stub.ListLearnwares(
                pb.ListLearnwaresRequest(
                    page_size=_PAGE_SIZE,
                    page_token=page_token,
                    filter=filter_,
                    order_by=order_by,
                    show_deleted=show_deleted,
                )
            )
            yield from map(learnware_from_message, page.learnwares)
            page_token = page.next_page_token
            if not page_token:
                return

    def holders(self, sha256: str) -> Iterator[Learnware]:
        """Learnwares that the caller may see and whose current version is this package."""
        return self.iterate(filter_=f'sha256 = "{sha256}"', order_by="", show_deleted=False)

    def update(
        self,
        learnware_id: str,
        *,
        semantic: SemanticSpecification | None,
        visibility: Visibility | None,
        etag: str,
    ) -> Learnware:
        """Change what is given."""
        request = pb.UpdateLearnwareRequest(learnware=types_pb2.Learnware(learnware_id=learnware_id, etag=etag))
        if semantic is not None:
            request.learnware.semantic_specification.CopyFrom(semantic_to_message(semantic))
            request.update_mask.paths.append("semantic_specification")
        if visibility is not None:
            request.learnware.visibility = visibility_to_message(visibility)
            request.update_mask.paths.append("visibility")
        return learnware_from_message(self._stub.UpdateLearnware(request).learnware)

    def delete(self, learnware_id: str) -> Learnware:
        """Hide a learnware."""
        request = pb.DeleteLearnwareRequest(learnware_id=learnware_id, request_id=uuid.uuid4().hex)
        return learnware_from_message(self._stub.DeleteLearnware(request).learnware)

    def undelete(self, learnware_id: str) -> Learnware:
        """Restore a deleted learnware."""
        request = pb.UndeleteLearnwareRequest(learnware_id=learnware_id)
        return learnware_from_message(self._stub.UndeleteLearnware(request).learnware)

    def versions(self, learnware_id: str) -> tuple[LearnwareVersion, ...]:
        """Versions, newest first."""
        answer = self._stub.ListVersions(pb.ListVersionsRequest(learnware_id=learnware_id))
        return tuple(map(version_from_message, answer.versions))

    def version(self, learnware_id: str, version: int) -> LearnwareVersion:
        """A version; 0 for the current one."""
        request = pb.GetVersionRequest(learnware_id=learnware_id, version=version)
        return version_from_message(self._stub.GetVersion(request).version)

    def specification(self, learnware_id: str, version: int) -> Specification:
        """Statistical specification of a version."""
        request = pb.GetSpecificationRequest(learnware_id=learnware_id, version=version)
        return specification_from_message(self._stub.GetSpecification(request).specification)

    def atom_outputs(self, learnware_id: str, version: int) -> NDArray[np.generic] | None:
        """Outputs of a version's model on its own atoms, if they are kept."""
        request = pb.GetSpecificationRequest(learnware_id=learnware_id, version=version)
        response = self._stub.GetSpecification(request)
        return tensor_from_message(response.atom_outputs, "atom_outputs") if response.HasField("atom_outputs") else None

    def quota(self, user_id: str) -> Quota:
        """What a user may keep; empty for the caller."""
        return quota_from_message(self._stub.GetQuota(pb.GetQuotaRequest(user_id=user_id)).quota)

    def set_quota(self, user_id: str, limit: Allowance) -> Quota:
        """Give a user other limits; 0 for the dock's own."""
        message = pb.Allowance(**asdict(limit))
        return quota_from_message(self._stub.UpdateQuota(pb.UpdateQuotaRequest(user_id=user_id, limit=message)).quota)

    def download(self, learnware_id: str, path: Path, *, version: int, progress: Progress) -> Path:
        """Fetch and verify a package."""
        known = self.version(learnware_id, version)
        return transfer.download(self._stub, known, path, progress=progress)
