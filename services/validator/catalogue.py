"""Storage, as the validator speaks with it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

import grpc
from numpy import generic
from numpy.typing import NDArray

from learndock.calls import ResponseStream
from learndock.errors import DataLoss, NotFound, Reason
from learndock.examination.report import ValidationReport
from learndock.learnware import Learnware, LearnwareVersion, VersionState
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import (
    format_class_to_message,
    learnware_from_message,
    tensor_to_message,
    version_from_message,
    version_state_to_message,
)
from services.validator.record import Lease, Subject

_DOWNLOAD_SECONDS = 1800.0
# Outputs are a help for ranking; a message must hold them.
_MAX_OUTPUT_BYTES = 2 * 2**20


class Catalogue:
    """Storage with this service's own rights."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._storage = StorageServiceStub(channel)

    def changes(self, after: int) -> ResponseStream:
        """Changes after a sequence number, and then as they happen."""
        return cast(ResponseStream, self._storage.WatchChanges(pb.WatchChangesRequest(after_sequence=after)))

    def download(self, subject: Subject, path: Path) -> None:
        """Write a version's package to a file.

        Raises
        ------
        DataLoss
            The bytes differ from their SHA-256 (HASH_MISMATCH).
        """
        digest = hashlib.sha256()
        request = pb.DownloadPackageRequest(learnware_id=subject.learnware_id, version=subject.version)
        with path.open("wb") as file:
            for piece in self._storage.DownloadPackage(request, timeout=_DOWNLOAD_SECONDS):
                digest.update(piece.data)
                file.write(piece.data)
        if digest.hexdigest() != subject.sha256:
            raise DataLoss(Reason.HASH_MISMATCH, "The package came damaged.", resource=subject.learnware_id)

    def record(
        self,
        lease: Lease,
        state: VersionState,
        *,
        report: ValidationReport | None = None,
        reason: str = "",
        atom_outputs: NDArray[generic] | None = None,
    ) -> None:
        """Tell storage where a version stands.

        Raises
        ------
        Aborted
            A later validation has taken over (LEASE_LOST).
        NotFound
            The version is gone.
        """
        keeps_outputs = atom_outputs is not None and atom_outputs.nbytes <= _MAX_OUTPUT_BYTES
        self._storage.RecordVerdict(
            pb.RecordVerdictRequest(
                learnware_id=lease.subject.learnware_id,
                version=lease.subject.version,
                state=version_state_to_message(state),
                validation_id=lease.validation_id,
                fence=lease.fence,
                reason=reason,
                format_class=format_class_to_message(report.format_class if report else None),
                atom_outputs=tensor_to_message(atom_outputs) if keeps_outputs and atom_outputs is not None else None,
            )
        )

    def newest_version(self, learnware_id: str) -> LearnwareVersion:
        """The newest version of a learnware; NotFound when there is none."""
        versions = self._storage.ListVersions(pb.ListVersionsRequest(learnware_id=learnware_id)).versions
        if not versions:
            raise NotFound(Reason.RESOURCE_UNKNOWN, f"There is no learnware {learnware_id}.", resource=learnware_id)
        return version_from_message(versions[0])

    def version(self, learnware_id: str, version: int) -> LearnwareVersion:
        """A version by its number, 0 for the newest; NotFound when there is none."""
        if version == 0:
            return self.newest_version(learnware_id)
        request = pb.GetVersionRequest(learnware_id=learnware_id, version=version)
        return version_from_message(self._storage.GetVersion(request).version)


class CallersCatalogue:
    """Storage as the caller of the RPC being served sees it."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._storage = StorageServiceStub(channel)

    def learnware(self, learnware_id: str) -> Learnware:
        """A learnware that the caller may see; NotFound otherwise."""
        return learnware_from_message(
            self._storage.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id)).learnware
        )


def subject_of(learnware: Learnware, version: LearnwareVersion) -> Subject:
    """What a validation of a version is about."""
    return Subject(
        learnware_id=learnware.learnware_id,
        version=version.version,
        owner_id=learnware.owner_id,
        sha256=version.sha256,
        semantic=learnware.semantic_specification,
    )
