"""What storage tells of learnwares and gives of them."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from learndock.errors import NotFound, Reason
from learndock.learnware import VersionState
from learndock.rkme.specification import Specification
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.wire import semantic_from_message, specification_from_message, version_from_message
from services.reuse.record import MemberRecord

_DOWNLOAD_SECONDS = 600.0


class Catalogue:
    """Learnwares as the caller of the RPC being served sees them: only what the caller may see can be reused.

    Parameters
    ----------
    channel
        To storage, with the caller's own token.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._storage = StorageServiceStub(channel)

    def resolve(self, learnware_id: str, version: int, weight: float) -> MemberRecord:
        """The verified version of a learnware, 0 for the current one.

        Raises
        ------
        NotFound
            There is none that the caller may see.
        """
        learnware = self._storage.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id)).learnware
        found = version_from_message(
            self._storage.GetVersion(pb.GetVersionRequest(learnware_id=learnware_id, version=version)).version
        )
        if found.state is not VersionState.VERIFIED:
            raise NotFound(
                Reason.RESOURCE_UNKNOWN,
                f"Version {found.version} of {learnware_id} is not verified; only verified ones can be reused.",
                resource=learnware_id,
            )
        return MemberRecord(
            learnware_id=learnware_id,
            version=found.version,
            sha256=found.sha256,
            weight=weight,
            semantic=semantic_from_message(learnware.semantic_specification),
            specification=self._specification(learnware_id, found.version),
        )

    def check_visible(self, learnware_id: str) -> None:
        """Raise `NotFound` if the caller may not see the learnware, or it was deleted."""
        self._storage.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id))

    def _specification(self, learnware_id: str, version: int) -> Specification | None:
        request = pb.GetSpecificationRequest(learnware_id=learnware_id, version=version)
        try:
            answer = self._storage.GetSpecification(request)
        except NotFound:  # a package may come without one
            return None
        return specification_from_message(answer.specification) if answer.HasField("specification") else None


class Downloads:
    """Packages, fetched with this service's own right to those that were resolved before.

    Parameters
    ----------
    channel
        To storage, as this service.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._storage = StorageServiceStub(channel)

    def __call__(self, member: MemberRecord) -> Iterator[bytes]:
        """The member's package, piece by piece; `NotFound` when storage has it no longer."""
        request = pb.DownloadPackageRequest(learnware_id=member.learnware_id, version=member.version)
        for piece in self._storage.DownloadPackage(request, timeout=_DOWNLOAD_SECONDS):
            yield piece.data
