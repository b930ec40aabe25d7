"""Lists page by page: what is asked of the services, and what of their answers is kept."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp
import grpc
import pytest

import learndock
from learndock.client.pages import IndexStatus, Island, Page, SearchCounts, SearchDay
from learndock.examination.report import ValidationState
from learndock.learnware import Modality
from learndock.v1 import (
    identity_service_pb2,
    identity_service_pb2_grpc,
    search_service_pb2,
    search_service_pb2_grpc,
    types_pb2,
    validator_service_pb2,
    validator_service_pb2_grpc,
)
from tests.support.bare_server import bare_server, registered


class Search(search_service_pb2_grpc.SearchServiceServicer):
    def ListIslands(self, request: object, context: grpc.ServicerContext) -> search_service_pb2.ListIslandsResponse:
        fitted = search_service_pb2.Island(
            island_id="table/3", modality=types_pb2.MODALITY_TABLE, dimension=3, learnwares=7, profile=2, landmarks=9,
            fit_time=Timestamp(seconds=1),
        )  # fmt: skip
        return search_service_pb2.ListIslandsResponse(islands=[fitted])

    def GetIndexStatus(
        self, request: object, context: grpc.ServicerContext
    ) -> search_service_pb2.GetIndexStatusResponse:
        days = [search_service_pb2.SearchDay(date="1970-01-01", by_specification=2, by_filter=5)]
        searches = search_service_pb2.SearchCounts(replica="a", since=Timestamp(seconds=1), days=days)
        return search_service_pb2.GetIndexStatusResponse(
            applied_sequence=3, latest_sequence=4, following=True, searches=searches
        )

    def RebuildIndex(self, request: object, context: grpc.ServicerContext) -> search_service_pb2.RebuildIndexResponse:
        return search_service_pb2.RebuildIndexResponse(learnwares=7)


class Identity(identity_service_pb2_grpc.IdentityServiceServicer):
    """Counts to the number in the page token."""

    def ListUsers(
        self, request: identity_service_pb2.ListUsersRequest, context: grpc.ServicerContext
    ) -> identity_service_pb2.ListUsersResponse:
        name = f"{request.text}{request.page_token}{request.page_size}"
        user = identity_service_pb2.User(user_id="1", name=name, role=types_pb2.ROLE_USER)
        return identity_service_pb2.ListUsersResponse(users=[user], next_page_token="more")


class Validator(validator_service_pb2_grpc.ValidatorServiceServicer):
    def __init__(self) -> None:
        self.asked: list[validator_service_pb2.ListValidationsRequest] = []

    def ListValidations(
        self, request: validator_service_pb2.ListValidationsRequest, context: grpc.ServicerContext
    ) -> validator_service_pb2.ListValidationsResponse:
        self.asked.append(request)
        return validator_service_pb2.ListValidationsResponse()


@pytest.fixture
def validator() -> Validator:
    return Validator()


@pytest.fixture
def dock(validator: Validator) -> Iterator[learndock.Dock]:
    services = (
        registered(search_service_pb2_grpc.add_SearchServiceServicer_to_server, Search()),
        registered(identity_service_pb2_grpc.add_IdentityServiceServicer_to_server, Identity()),
        registered(validator_service_pb2_grpc.add_ValidatorServiceServicer_to_server, validator),
    )
    with bare_server(*services) as address, learndock.Dock(address, "x") as connected:
        yield connected


def test_islands_and_the_index_are_told(dock: learndock.Dock) -> None:
    fitted = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert dock.pages.islands() == (Island("table/3", Modality.TABLE, "", 3, 7, 2, 9, fitted),)
    searches = SearchCounts("a", fitted, (SearchDay(date(1970, 1, 1), 2, 5),))
    assert dock.pages.index_status() == IndexStatus(3, 4, following=True, searches=searches)
    assert dock.pages.rebuild_index() == 7


def test_a_page_of_users_knows_the_next(dock: learndock.Dock) -> None:
    page = dock.pages.users(text="an", size=2, token="t")
    assert [user.name for user in page.items] == ["ant2"]
    assert page.next_token == "more"
    assert page.total is None


def test_validations_are_asked_for_by_state(dock: learndock.Dock, validator: Validator) -> None:
    assert dock.pages.validations(state=ValidationState.FAILED, learnware_id="00000001") == Page((), "")
    dock.pages.validations()
    assert [asked.state for asked in validator.asked] == [
        validator_service_pb2.VALIDATION_STATE_FAILED,
        validator_service_pb2.VALIDATION_STATE_UNSPECIFIED,
    ]
