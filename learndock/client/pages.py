"""Lists page by page, and single steps of work, for a screen that shows one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Generic, TypeVar
import uuid

from learndock.account import User
from learndock.audit import AuditEntry
from learndock.client.messages import validation_from_message
from learndock.client.values import Validation
from learndock.examination.report import ValidationState
from learndock.learnware import Learnware, Modality
from learndock.v1 import (
    identity_service_pb2,
    search_service_pb2,
    storage_service_pb2,
    types_pb2,
    validator_service_pb2,
)
from learndock.v1.identity_service_pb2_grpc import IdentityServiceStub
from learndock.v1.search_service_pb2_grpc import SearchServiceStub
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from learndock.v1.validator_service_pb2_grpc import ValidatorServiceStub
from learndock.wire import enum_from_message, enum_to_message, learnware_from_message, time_from_message
from learndock.wire_accounts import audit_entry_from_message, user_from_message

if TYPE_CHECKING:
    import grpc

_DOWNLOAD_SECONDS = 3600.0
_REBUILD_SECONDS = 600.0

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Page(Generic[_Item]):
    """A part of a list.

    Attributes
    ----------
    items
        In the list's order.
    next_token
        Asks for the next page; empty on the last.
    total
        How many the whole list has; None where the dock does not count.
    """

    items: tuple[_Item, ...]
    next_token: str
    total: int | None = None


@dataclass(frozen=True)
class Island:
    """Learnwares that can be compared with each other.

    Attributes
    ----------
    encoder
        Encoder and revision; empty for tables.
    dimension
        Dimension of the atoms.
    learnwares
        Public learnwares in it.
    profile
        Number of its profile, growing with each refit.
    landmarks
        Landmarks of the embedding.
    fit_time
        When the profile was fitted; None before.
    """

    island_id: str
    modality: Modality | None
    encoder: str
    dimension: int
    learnwares: int
    profile: int
    landmarks: int
    fit_time: datetime | None


@dataclass(frozen=True)
class SearchDay:
    """Searches of a day in UTC: with a task's specification, and with words or other filters alone."""

    day: date
    by_specification: int
    by_filter: int


@dataclass(frozen=True)
class SearchCounts:
    """Searches that one replica of the search service answered; those of several add up.

    Attributes
    ----------
    replica
        Name of its host.
    since
        When it began to count.
    days
        Days with searches, of the last 90, oldest first.
    """

    replica: str
    since: datetime
    days: tuple[SearchDay, ...]


@dataclass(frozen=True)
class IndexStatus:
    """How far search has followed the catalogue.

    Attributes
    ----------
    applied_sequence, latest_sequence
        Last change that was applied, and newest one known.
    following
        False while the catalogue cannot be reached.
    searches
        Searches that the replica which was asked has answered; None for who is no admin.
    """

    applied_sequence: int
    latest_sequence: int
    following: bool
    searches: SearchCounts | None = None


class Pages:
    """Pages of what a dock holds.

    Parameters
    ----------
    channel
        Gives the channel to a service, by its name.
    """

    def __init__(self, channel: Callable[[str], grpc.Channel]) -> None:
        self._channel = channel

    def learnwares(
        self, *, filter_: str = "", order_by: str = "", size: int = 25, token: str = "", show_deleted: bool = False
    ) -> Page[Learnware]:
        """Learnwares that the caller may see; filter and order as of `Dock.list`."""
        request = storage_service_pb2.ListLearnwaresRequest(
            page_size=size, page_token=token, filter=filter_, order_by=order_by, show_deleted=show_deleted
        )
        answer = StorageServiceStub(self._channel("storage")).ListLearnwares(request)
        return Page(tuple(map(learnware_from_message, answer.learnwares)), answer.next_page_token, answer.total_size)

    def package(self, learnware_id: str, version: int = 0) -> Iterator[bytes]:
        """The bytes of a version's package (0: the current one), piece by piece as they come; unverified."""
        request = storage_service_pb2.DownloadPackageRequest(learnware_id=learnware_id, version=version)
        stub = StorageServiceStub(self._channel("storage"))
        for piece in stub.DownloadPackage(request, timeout=_DOWNLOAD_SECONDS):
            yield piece.data

    def users(self, *, text: str = "", size: int = 25, token: str = "") -> Page[User]:
        """Users whose name or e-mail holds `text`; for admins."""
        request = identity_service_pb2.ListUsersRequest(page_size=size, page_token=token, text=text)
        answer = IdentityServiceStub(self._channel("identity")).ListUsers(request)
        return Page(tuple(map(user_from_message, answer.users)), answer.next_page_token)

    def audit_entries(
        self, *, user: str = "", action: str = "", resource: str = "", size: int = 25, token: str = ""
    ) -> Page[AuditEntry]:
        """Who changed what and who signed in, newest first; the filters are those of `Dock.list_audit_entries`."""
        request = identity_service_pb2.ListAuditEntriesRequest(
            page_size=size, page_token=token, user_id=user, action=action, resource=resource
        )
        answer = IdentityServiceStub(self._channel("identity")).ListAuditEntries(request)
        return Page(tuple(map(audit_entry_from_message, answer.entries)), answer.next_page_token)

    def validations(
        self, *, learnware_id: str = "", state: ValidationState | None = None, size: int = 25, token: str = ""
    ) -> Page[Validation]:
        """Validations that the caller may see, newest first, without their logs."""
        request = validator_service_pb2.ListValidationsRequest(
            page_size=size,
            page_token=token,
            learnware_id=learnware_id,
            state=enum_to_message(state, validator_service_pb2.ValidationState, "VALIDATION_STATE"),
        )
        answer = self._validator.ListValidations(request)
        return Page(tuple(map(validation_from_message, answer.validations)), answer.next_page_token)

    def validate(self, learnware_id: str, version: int = 0) -> Validation:
        """Have a version (0: the newest) validated again; returns at once."""
        request = validator_service_pb2.CreateValidationRequest(
            learnware_id=learnware_id, version=version, request_id=uuid.uuid4().hex
        )
        return validation_from_message(self._validator.CreateValidation(request).validation)

    def cancel_validation(self, validation_id: str) -> Validation:
        """Stop a validation; FailedPrecondition (VALIDATION_ENDED) when it has ended."""
        request = validator_service_pb2.CancelValidationRequest(validation_id=validation_id)
        return validation_from_message(self._validator.CancelValidation(request).validation)

    def islands(self) -> tuple[Island, ...]:
        """Groups of learnwares that can be compared, in order of their ids."""
        answer = self._search.ListIslands(search_service_pb2.ListIslandsRequest())
        return tuple(map(_island_from_message, answer.islands))

    def index_status(self) -> IndexStatus:
        """How far search has followed the catalogue."""
        answer = self._search.GetIndexStatus(search_service_pb2.GetIndexStatusRequest())
        return IndexStatus(
            answer.applied_sequence,
            answer.latest_sequence,
            answer.following,
            _counts_from_message(answer.searches) if answer.HasField("searches") else None,
        )

    def rebuild_index(self) -> int:
        """Make the index anew, profiles included, while the old one answers; how many learnwares it holds."""
        request = search_service_pb2.RebuildIndexRequest()
        return int(self._search.RebuildIndex(request, timeout=_REBUILD_SECONDS).learnwares)

    @property
    def _validator(self) -> ValidatorServiceStub:
        return ValidatorServiceStub(self._channel("validator"))

    @property
    def _search(self) -> SearchServiceStub:
        return SearchServiceStub(self._channel("search"))


def _counts_from_message(message: search_service_pb2.SearchCounts) -> SearchCounts:
    days = (SearchDay(date.fromisoformat(day.date), day.by_specification, day.by_filter) for day in message.days)
    return SearchCounts(message.replica, time_from_message(message.since), tuple(days))


def _island_from_message(message: search_service_pb2.Island) -> Island:
    return Island(
        island_id=message.island_id,
        modality=enum_from_message(message.modality, types_pb2.Modality, "MODALITY", Modality),
        encoder=message.encoder,
        dimension=message.dimension,
        learnwares=message.learnwares,
        profile=message.profile,
        landmarks=message.landmarks,
        fit_time=time_from_message(message.fit_time) if message.HasField("fit_time") else None,
    )
