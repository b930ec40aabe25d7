"""ReuseService over the reusers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import grpc

from learndock.reuse.occurrence import Occurrence
from learndock.serving import caller
from learndock.serving.paging import PageTokens, page_size
from learndock.v1 import reuse_service_pb2 as pb
from learndock.v1 import reuse_service_pb2_grpc as rpc
from services.reuse.creation import Creation
from services.reuse.inputs import read_inputs
from services.reuse.messages import prediction_to_message, prediction_to_stream_message, record_to_message
from services.reuse.reusers import Reusers

Context = grpc.ServicerContext


class ReuseServicer(rpc.ReuseServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, creation: Creation, reusers: Reusers, pages: PageTokens) -> None:
        self._creation = creation
        self._reusers = reusers
        self._pages = pages

    def CreateReuser(self, request: pb.CreateReuserRequest, context: Context) -> pb.CreateReuserResponse:
        """Make a reuser."""
        return self._creation.create(caller.current(), request)

    def GetReuser(self, request: pb.GetReuserRequest, context: Context) -> pb.GetReuserResponse:
        """Tell one reuser."""
        record = self._reusers.get(caller.current().user_id, request.reuser_id)
        return pb.GetReuserResponse(reuser=record_to_message(record))

    def ListReusers(self, request: pb.ListReusersRequest, context: Context) -> pb.ListReusersResponse:
        """Tell a page of the caller's reusers."""
        owner_id = caller.current().user_id
        position = self._pages.decode(owner_id, request.page_token)
        size = page_size(request.page_size)
        found = self._reusers.list(owner_id, before=int(position) if position else None, size=size + 1)
        return pb.ListReusersResponse(
            reusers=[record_to_message(record) for _, record in found[:size]],
            next_page_token=self._pages.encode(owner_id, str(found[size - 1][0])) if len(found) > size else "",
        )

    def DeleteReuser(self, request: pb.DeleteReuserRequest, context: Context) -> pb.DeleteReuserResponse:
        """End a reuser."""
        self._reusers.delete(caller.current().user_id, request.reuser_id)
        return pb.DeleteReuserResponse()

    def WatchReuser(self, request: pb.WatchReuserRequest, context: Context) -> Iterator[pb.WatchReuserResponse]:
        """Tell a reuser until it is prepared."""
        for record in self._reusers.watch(caller.current().user_id, request.reuser_id):
            yield pb.WatchReuserResponse(reuser=record_to_message(record))

    def Predict(self, request: pb.PredictRequest, context: Context) -> pb.PredictResponse:
        """Answer one batch."""
        owner_id = caller.current().user_id
        prediction = self._reusers.predict(owner_id, request.reuser_id, partial(read_inputs, request))
        occurrence = Occurrence.of(prediction) if request.hold_back_rare_classes else None
        return prediction_to_message(occurrence.weighed(prediction) if occurrence else prediction)

    def PredictStream(
        self, requests: Iterator[pb.PredictStreamRequest], context: Context
    ) -> Iterator[pb.PredictStreamResponse]:
        """Answer batches in their order."""
        owner_id, reuser_id = caller.current().user_id, ""
        for request in requests:
            reuser_id = request.reuser_id or reuser_id
            prediction = self._reusers.predict(owner_id, reuser_id, partial(read_inputs, request))
            yield prediction_to_stream_message(prediction)
