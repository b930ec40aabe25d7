"""The catalogue as the index reads it: changes in order, each with the specification that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from learndock import wire
from learndock.calls import ResponseStream
from learndock.errors import NotFound
from learndock.learnware import Learnware
from learndock.rkme.specification import Specification
from learndock.serving.peers import Peer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from services.search.live import Change, LiveIndex, is_searchable
from services.search.packs import Stored


@dataclass(frozen=True, eq=False)
class News:
    """A message of the catalogue's stream.

    Attributes
    ----------
    change
        A change; None in a heartbeat.
    latest
        Newest change in the catalogue.
    """

    change: Change | None
    latest: int


class ChangeStream:
    """Changes as they come; can be cancelled from another thread."""

    def __init__(self, stream: ResponseStream, read: Callable[[pb.WatchChangesResponse], News]) -> None:
        self._stream = stream
        self._read = read

    def __iter__(self) -> Iterator[News]:
        return (self._read(message) for message in self._stream)

    def cancel(self) -> None:
        """End the stream; the reader sees `Cancelled`."""
        self._stream.cancel()


class CatalogueSource:
    """Reads changes and specifications from the storage service.

    Parameters
    ----------
    storage
        The storage service.
    """

    def __init__(self, storage: Peer) -> None:
        self._stub = StorageServiceStub(storage.as_service)

    def changes(self, live: LiveIndex) -> ChangeStream:
        """Changes after those that an index has applied; it is asked for specifications that it holds already."""
        request = pb.WatchChangesRequest(after_sequence=live.applied)
        stream: ResponseStream = self._stub.WatchChanges(request)  # type: ignore[assignment]
        return ChangeStream(stream, lambda message: self._news(message, live))

    def _news(self, message: pb.WatchChangesResponse, live: LiveIndex) -> News:
        if message.sequence == 0:
            return News(None, message.latest_sequence)
        learnware = wire.learnware_from_message(message.learnware)
        if not is_searchable(learnware):
            return News(Change(message.sequence, learnware, searchable=False), message.latest_sequence)
        try:
            change = Change(message.sequence, learnware, searchable=True, specification=self._read(learnware, live))
        except NotFound:  # deleted since; the change that says so is on its way
            change = Change(message.sequence, learnware, searchable=False)
        return News(change, message.latest_sequence)

    def _read(self, learnware: Learnware, live: LiveIndex) -> Specification | Stored | None:
        version = learnware.current_version.version
        held = live.held_specification(learnware.learnware_id, version)
        if held is not None:
            return held
        response = self._stub.GetSpecification(
            pb.GetSpecificationRequest(learnware_id=learnware.learnware_id, version=version)
        )
        if not response.HasField("specification"):
            return None
        return wire.specification_from_message(response.specification)
