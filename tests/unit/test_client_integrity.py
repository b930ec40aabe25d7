"""Index against catalogue."""

from collections.abc import Iterator

import grpc
import pytest

import learndock
from learndock.client.values import Finding
from learndock.errors import FailedPrecondition, Reason
from learndock.v1 import (
    search_service_pb2,
    search_service_pb2_grpc,
    storage_service_pb2,
    storage_service_pb2_grpc,
    types_pb2,
)
from tests.support.bare_server import bare_server, fail, registered


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """A catalogue of ids."""

    def __init__(self) -> None:
        self.verified = ["00000001", "00000002"]
        self.broken: list[str] = []

    def GetCatalogueSummary(
        self, request: storage_service_pb2.GetCatalogueSummaryRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.GetCatalogueSummaryResponse:
        return storage_service_pb2.GetCatalogueSummaryResponse(latest_sequence=7)

    def ListLearnwares(
        self, request: storage_service_pb2.ListLearnwaresRequest, context: grpc.ServicerContext
    ) -> storage_service_pb2.ListLearnwaresResponse:
        assert request.filter == 'state = "VERIFIED"'
        start = int(request.page_token or 0)  # a page each
        version = types_pb2.LearnwareVersion(version=1, state=types_pb2.VERSION_STATE_VERIFIED)
        following = str(start + 1) if start + 1 < len(self.verified) else ""
        return storage_service_pb2.ListLearnwaresResponse(
            learnwares=[
                types_pb2.Learnware(learnware_id=one, current_version=version)
                for one in self.verified[start : start + 1]
            ],
            next_page_token=following,
        )

    def CheckIntegrity(
        self, request: storage_service_pb2.CheckIntegrityRequest, context: grpc.ServicerContext
    ) -> Iterator[storage_service_pb2.CheckIntegrityResponse]:
        for subject in self.broken:
            yield storage_service_pb2.CheckIntegrityResponse(invariant="I1", subject=subject, message="lost")


class Search(search_service_pb2_grpc.SearchServiceServicer):
    """An index of ids; a list for each reading, the last one stays."""

    def __init__(self) -> None:
        self.readings = [["00000001", "00000002"]]
        self.sequence = 7

    def Search(
        self, request: search_service_pb2.SearchRequest, context: grpc.ServicerContext
    ) -> search_service_pb2.SearchResponse:
        if request.min_sequence > self.sequence:
            fail(context, FailedPrecondition(Reason.INDEX_BEHIND, "behind"))
        return search_service_pb2.SearchResponse()

    def ListIndexEntries(
        self, request: search_service_pb2.ListIndexEntriesRequest, context: grpc.ServicerContext
    ) -> Iterator[search_service_pb2.ListIndexEntriesResponse]:
        ids = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        for learnware_id in ids:
            yield search_service_pb2.ListIndexEntriesResponse(learnware_id=learnware_id, version=1)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture
def dock(storage: Storage, search: Search) -> Iterator[learndock.Dock]:
    registers = (
        registered(storage_service_pb2_grpc.add_StorageServiceServicer_to_server, storage),
        registered(search_service_pb2_grpc.add_SearchServiceServicer_to_server, search),
    )
    with bare_server(*registers) as address, learndock.Dock(address, "x") as connected:
        yield connected


def test_a_clean_dock_has_no_findings(dock: learndock.Dock) -> None:
    assert dock.check_integrity() == ()


def test_what_the_storage_service_finds_is_told(dock: learndock.Dock, storage: Storage) -> None:
    storage.broken = ["00000002"]
    assert dock.check_integrity(read_packages=True) == (Finding("I1", "00000002", "lost"),)


def test_an_index_that_differs_is_told_both_ways(dock: learndock.Dock, search: Search) -> None:
    search.readings = [["00000002", "00000009"]]
    findings = dock.check_integrity()
    assert [(finding.invariant, finding.subject) for finding in findings] == [("I5", "00000001"), ("I5", "00000009")]
    assert "not in the index" in findings[0].message


def test_what_was_only_moving_is_no_finding(dock: learndock.Dock, search: Search) -> None:
    search.readings = [["00000001"], ["00000001", "00000002"]]
    assert dock.check_integrity() == ()


def test_an_index_that_does_not_follow_is_an_error(dock: learndock.Dock, search: Search) -> None:
    search.sequence = 6
    with pytest.raises(FailedPrecondition) as caught:
        dock.check_integrity()
    assert caught.value.reason is Reason.INDEX_BEHIND
