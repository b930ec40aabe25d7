"""What is asked of the search service."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

import learndock
from learndock.client.values import SearchMode
from learndock.errors import DeadlineExceeded
from learndock.learnware import SemanticFilter
from learndock.v1 import search_service_pb2 as pb
from learndock.v1 import search_service_pb2_grpc
from learndock.wire import specification_from_message
from learndock.wire_private import private_from_message
from tests.support.bare_server import bare_server, registered


class Search(search_service_pb2_grpc.SearchServiceServicer):
    """Finds something from the third question on."""

    def __init__(self) -> None:
        self.asked: list[pb.SearchRequest] = []

    def Search(self, request: pb.SearchRequest, context: grpc.ServicerContext) -> pb.SearchResponse:
        self.asked.append(request)
        remark = "by estimates" if request.HasField("private_specification") else ""
        return pb.SearchResponse(
            certificate=pb.Certificate(remark=remark),
            singles=[pb.SingleResult(learnware_id="00000001")] if len(self.asked) >= 3 else [],
        )


@pytest.fixture
def search() -> Search:
    return Search()


@pytest.fixture
def dock(search: Search) -> Iterator[learndock.Dock]:
    register = registered(search_service_pb2_grpc.add_SearchServiceServicer_to_server, search)
    with bare_server(register) as address, learndock.Dock(address, "x") as connected:
        yield connected


def test_everything_that_is_asked_is_sent(dock: learndock.Dock, search: Search) -> None:
    specification = learndock.Specification(atoms=np.eye(3, dtype=np.float32), weights=np.full(3, 1 / 3))
    dock.search(
        specification,
        text="red wine",
        filter=SemanticFilter(tasks=("Regression",)),
        top_k=3,
        max_mixture_members=1,
        mode=SearchMode.EXHAUSTIVE,
        exclude=["00000009"],
        min_sequence=12,
        max_scored=100,
    )
    asked = search.asked[0]
    np.testing.assert_array_equal(specification_from_message(asked.specification).atoms, specification.atoms)
    assert (asked.filter.text, list(asked.filter.tasks)) == ("red wine", ["Regression"])
    assert (asked.top_k, asked.max_mixture_members, asked.mode) == (3, 1, pb.SEARCH_MODE_EXHAUSTIVE)
    assert (list(asked.exclude_learnware_ids), asked.min_sequence, asked.max_scored) == (["00000009"], 12, 100)


def test_a_private_task_goes_into_a_field_of_its_own(dock: learndock.Dock, search: Search) -> None:
    rows = np.random.default_rng(0).normal(size=(500, 2))
    task = learndock.specify_privately(rows, epsilon=2.0, delta=1e-4, ranges=[(-4, 4)] * 2)
    found = dock.search(task)
    asked = search.asked[0]
    assert not asked.HasField("specification")
    np.testing.assert_array_equal(private_from_message(asked.private_specification).mean, task.mean)
    assert found.certificate.remark == "by estimates"
    assert "by estimates" in repr(found)


def test_without_a_specification_none_is_sent(dock: learndock.Dock, search: Search) -> None:
    dock.search(filter=SemanticFilter(text="kept"))
    assert not search.asked[0].HasField("specification")
    assert search.asked[0].filter.text == "kept"


def test_a_verified_learnware_is_waited_for(dock: learndock.Dock, search: Search) -> None:
    dock.wait_until_searchable("00000001")
    assert len(search.asked) == 3
    assert list(search.asked[0].filter.learnware_ids) == ["00000001"]


def test_waiting_for_what_never_comes_ends(dock: learndock.Dock, search: Search) -> None:
    with pytest.raises(DeadlineExceeded, match="VERIFIED"):
        dock.wait_until_searchable("00000001", timeout=0.0)
