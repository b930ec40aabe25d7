"""SearchService over gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from learndock.serving import caller
from learndock.v1 import search_service_pb2 as pb
from learndock.v1 import search_service_pb2_grpc as pb_grpc
from services.search import messages
from services.search.desk import SearchDesk
from services.search.follower import Follower


class SearchServicer(pb_grpc.SearchServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, desk: SearchDesk, follower: Follower) -> None:
        self._desk = desk
        self._follower = follower

    def Search(self, request: pb.SearchRequest, context: grpc.ServicerContext) -> pb.SearchResponse:  # noqa: D102
        question = messages.question_from_message(request, caller.current())
        answer = self._desk.answer(question, min_sequence=request.min_sequence)
        return messages.answer_to_message(answer)

    def ListIslands(self, request: pb.ListIslandsRequest, context: grpc.ServicerContext) -> pb.ListIslandsResponse:  # noqa: D102
        islands = self._desk.islands(caller.current())
        return pb.ListIslandsResponse(islands=[messages.island_to_message(*island) for island in islands])

    def GetIsland(self, request: pb.GetIslandRequest, context: grpc.ServicerContext) -> pb.GetIslandResponse:  # noqa: D102
        island = self._desk.island(request.island_id, caller.current())
        return pb.GetIslandResponse(island=messages.island_to_message(*island))

    def GetIndexStatus(  # noqa: D102
        self, request: pb.GetIndexStatusRequest, context: grpc.ServicerContext
    ) -> pb.GetIndexStatusResponse:
        islands = [island for island, _ in self._desk.islands(caller.current())]
        status = messages.status_to_message(self._follower.status(), islands, self._desk.engine.status())
        if caller.current().role.administers:
            status.searches.CopyFrom(messages.counts_to_message(self._desk.counter))
        return status

    def RebuildIndex(self, request: pb.RebuildIndexRequest, context: grpc.ServicerContext) -> pb.RebuildIndexResponse:  # noqa: D102
        rebuilt = self._follower.rebuild()
        return pb.RebuildIndexResponse(applied_sequence=rebuilt.sequence, learnwares=len(list(rebuilt.entries())))

    def ListIndexEntries(  # noqa: D102
        self, request: pb.ListIndexEntriesRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.ListIndexEntriesResponse]:
        for entry in self._desk.entries():
            caller.check_active()
            yield messages.entry_to_message(entry)
