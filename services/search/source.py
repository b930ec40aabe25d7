"""The catalogue as the index reads it: changes in order, each with the specification that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import logging

from learndock import wire
from learndock.calls import ResponseStream
from learndock.errors import DataLoss, InvalidInput, NotFound
from learndock.learnware import Learnware
from learndock.rkme.specification import Specification
from learndock.serving.peers import Peer
from learndock.v1 import storage_service_pb2 as pb
from learndock.v1.storage_service_pb2_grpc import StorageServiceStub
from services.search.live import Change, LiveIndex, is_searchable
from services.search.packs import Stored

_log = logging.getLogger("learndock.search")


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
        return News(self._change(message.sequence, learnware, live), message.latest_sequence)

    def _change(self, sequence: int, learnware: Learnware, live: LiveIndex) -> Change:
        try:
            return Change(sequence, learnware, searchable=True, specification=self._read(learnware, live))
        except NotFound:
            # Where it is gone, the change that says so is on its way; else it has none.
            return Change(sequence, learnware, searchable=self._lives(learnware.learnware_id))
        except (DataLoss, InvalidInput) as error:  # one that cannot be read must not hold up all others
            _log.error("specification_unreadable", extra={"learnware_id": learnware.learnware_id, "error": repr(error)})
            return Change(sequence, learnware, searchable=False)

    def _lives(self, learnware_id: str) -> bool:
        try:
            response = self._stub.GetLearnware(pb.GetLearnwareRequest(learnware_id=learnware_id))
        except NotFound:
            return False
        return is_searchable(wire.learnware_from_message(response.learnware))

    def _read(self, learnware: Learnware, live: LiveIndex) -> Specification | Stored:
        version = learnware.current_version.version
        held = live.held_specification(learnware.learnware_id, version)
        if held is not None:
            return held
        response = self._stub.GetSpecification(
            pb.GetSpecificationRequest(learnware_id=learnware.learnware_id, version=version)
        )
        return wire.specification_from_message(response.specification)
