"""The worker that turns the catalogue's changes into validations."""

from __future__ import annotations

from learndock.errors import LearndockError, OutOfRange
from learndock.serving.changes import Changes
from learndock.serving.following import StreamFollower
from learndock.serving.sql import Database
from learndock.v1 import storage_service_pb2 as pb
from learndock.wire import learnware_from_message, version_from_message
from services.validator import queue, store
from services.validator.catalogue import Catalogue, subject_of


class Follower(StreamFollower):
    """Follows the change log in a thread, for ever, and remembers how far it came.

    Parameters
    ----------
    database
        The validator's own.
    catalogue
        Storage.
    changes
        Told when there is new work.
    """

    def __init__(self, database: Database, catalogue: Catalogue, changes: Changes) -> None:
        super().__init__("validator-follower")
        self._database = database
        self._catalogue = catalogue
        self._changes = changes

    def _follow(self) -> None:
        """Follow one stream to its end. Raises when it ended before it told anything; then waits grow."""
        told = False
        with self._database.read() as session:
            after = store.counter(session, store.CHANGE)
        try:
            for message in self._opened(self._catalogue.changes(after)):
                told = True
                if message.sequence:
                    self._take(message)
        except OutOfRange:
            # The catalogue was set back to a backup: what it now says comes under numbers that were seen before.
            with self._database.write() as session:
                store.forget_changes(session)
            raise
        except LearndockError:
            if not told:
                raise

    def _take(self, message: pb.WatchChangesResponse) -> None:
        with self._database.write() as session:
            if message.kind == pb.CHANGE_KIND_VERSION_UPLOADED:
                version = version_from_message(message.version)
                if not queue.is_given_up(session, version.validation_id):
                    subject = subject_of(learnware_from_message(message.learnware), version)
                    queue.enqueue(session, subject, message.sequence)
            elif message.kind == pb.CHANGE_KIND_LEARNWARE_DELETED:
                active = store.active_rows(session, message.learnware.learnware_id)
                queue.cancel_all(session, active, "The learnware was deleted.")
            store.set_counter(session, store.CHANGE, message.sequence)
        self._changes.tell()
