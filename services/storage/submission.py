"""The end of an upload: the package is checked without running it, kept, and entered in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from learndock.account import Principal
from learndock.errors import (
    AlreadyExists,
    DataLoss,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Reason,
    ResourceExhausted,
    Unavailable,
)
from learndock.learnware import Learnware, LearnwareVersion, SemanticSpecification, Visibility
from learndock.package.confined import inspect_confined
from learndock.package.inspection import Inspection, file_sha256
from learndock.serving import faults
from learndock.serving.sql import Database
from learndock.wire import specification_to_message
from services.storage import catalogue, store
from services.storage.blobs import BlobStore, is_sha256
from services.storage.uploads import Upload, Uploads

# The package itself is at fault: sending the same bytes again would not help, so nothing of it is kept.
_REFUSALS = (InvalidInput, DataLoss, AlreadyExists, NotFound, PermissionDenied, ResourceExhausted)


@dataclass(frozen=True)
class Submission:
    """What a finished upload is to become.

    Attributes
    ----------
    upload
        The upload.
    sha256
        Digest that the sender declares.
    semantic
        What the learnware is for; None to take it from the package, or from the learnware for a new version.
    visibility
        Who may see a new learnware.
    """

    upload: Upload
    sha256: str
    semantic: SemanticSpecification | None
    visibility: Visibility


class PackageDesk:
    """Takes finished uploads."""

    def __init__(self, database: Database, blobs: BlobStore, uploads: Uploads) -> None:
        self._database = database
        self._blobs = blobs
        self._uploads = uploads

    @contextmanager
    def examined(self, principal: Principal, submission: Submission) -> Iterator[Inspection]:
        """Check a package, keep its bytes, and let the block enter it; a refused one leaves nothing behind.

        Raises
        ------
        FailedPrecondition
            UPLOAD_INCOMPLETE; the upload stays.
        DataLoss
            HASH_MISMATCH.
        InvalidInput
            A rule for packages is broken.
        AlreadyExists
            DUPLICATE_PACKAGE.
        """
        self._check_complete(submission)
        try:
            yield self._examine(principal, submission)
        except _REFUSALS:
            self._uploads.cancel(submission.upload.upload_id)
            raise
        faults.reach("finish.committed")
        self._uploads.discard(submission.upload.upload_id)
        faults.reach("finish.discarded")

    def enter(
        self, session: Session, principal: Principal, submission: Submission, inspection: Inspection
    ) -> tuple[Learnware, LearnwareVersion]:
        """Enter an examined package in the catalogue and forget its upload, in one transaction."""
        catalogue.refuse_duplicate(session, principal, submission.sha256)
        self._check_kept(submission.sha256)
        upload = submission.upload
        package = catalogue.new_package(
            upload.learnware_id, inspection.sha256, inspection.size_bytes, inspection.scan.format_class
        )
        specification = (
            specification_to_message(inspection.specification).SerializeToString() if inspection.specification else None
        )
        self._uploads.forget(session, upload.upload_id)
        if upload.learnware_id:
            return catalogue.enter_version(session, principal, package, specification)
        assert inspection.semantic is not None  # noqa: S101  # refused before without one
        return catalogue.enter_learnware(
            session, principal, inspection.semantic, submission.visibility, package, specification
        )

    def _examine(self, principal: Principal, submission: Submission) -> Inspection:
        forwarded = self._uploads.forwarded(submission.upload, submission.sha256)
        with self._uploads.collected(submission.upload) as path:
            if not forwarded:
                _check_digest(path, submission)
                self._mend(path, submission)
            with self._database.read() as session:
                catalogue.refuse_duplicate(session, principal, submission.sha256)
            inspection = inspect_confined(
                path, self._expected_semantic(principal, submission), sha256=submission.sha256
            )
            if inspection.semantic is None:
                raise InvalidInput(
                    Reason.SEMANTIC_INVALID,
                    "Neither the request nor the package holds a semantic specification.",
                    field="semantic_specification",
                )
            faults.reach("finish.examined")
            if not forwarded:
                self._put(path, submission)
        faults.reach("finish.stored")
        return inspection

    def _mend(self, path: Path, submission: Submission) -> None:
        """A package whose stored bytes were lost or put aside is whole again once anybody sends it."""
        if self._blobs.stat(submission.sha256) is None:
            with self._database.read() as session:
                referred = store.is_referred(session, submission.sha256)
            if referred:
                self._put(path, submission)

    def _put(self, path: Path, submission: Submission) -> None:
        with path.open("rb") as file:
            self._blobs.put(file, submission.upload.size_bytes, submission.sha256)

    def _check_kept(self, sha256: str) -> None:
        """The bytes may have been collected just before they were put again; see `Collection`."""
        if self._blobs.stat(sha256) is None:
            raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The package must be stored once more.", retry_after=0.0)

    def _check_complete(self, submission: Submission) -> None:
        upload = submission.upload
        if not is_sha256(submission.sha256):
            raise InvalidInput(Reason.FIELD_INVALID, "A SHA-256 has 64 hexadecimal digits, lower case.", field="sha256")
        if upload.committed_bytes != upload.size_bytes:
            raise FailedPrecondition(
                Reason.UPLOAD_INCOMPLETE,
                f"{upload.committed_bytes} of {upload.size_bytes} bytes have come; send the rest first.",
                resource=upload.upload_id,
            )

    def _expected_semantic(self, principal: Principal, submission: Submission) -> SemanticSpecification | None:
        """What the package is to be checked against: a new version means what its learnware means."""
        if not submission.upload.learnware_id:
            return submission.semantic
        with self._database.read() as session:
            learnware = catalogue.living_learnware(session, principal, submission.upload.learnware_id)
        if submission.semantic not in (None, learnware.semantic_specification):
            raise InvalidInput(
                Reason.FIELD_INVALID,
                "A new version means what its learnware means; change that with UpdateLearnware.",
                field="semantic_specification",
            )
        return learnware.semantic_specification


def _check_digest(path: Path, submission: Submission) -> None:
    arrived = file_sha256(path)
    if arrived != submission.sha256:
        raise DataLoss(
            Reason.HASH_MISMATCH,
            f"The package arrived with SHA-256 {arrived}; send it again.",
            resource=submission.upload.upload_id,
        )
