"""The audit log's way from a service to the identity service: in the background, and never in the way of a call."""

from __future__ import annotations

from collections import deque
import logging
import threading

from learndock.audit import AuditEntry
from learndock.errors import LearndockError
from learndock.serving import telemetry
from learndock.serving.background import BackgroundWorker
from learndock.serving.peers import Peer
from learndock.v1 import identity_service_pb2 as pb
from learndock.v1 import identity_service_pb2_grpc as rpc
from learndock.wire_accounts import audit_entry_to_message

_log = logging.getLogger("learndock.audit")

_BATCH = 1000
_MAX_WAITING = 100_000
_WAIT_SECONDS = 1.0
_SEND_SECONDS = 10.0


class NoAuditLog:
    """Keeps nothing beside the log lines; for tests of one service alone."""

    def record(self, entry: AuditEntry) -> None:
        """Keep nothing."""


class RemoteAuditLog(BackgroundWorker):
    """Sends entries to the identity service; while it is away, they wait.

    Sending again is harmless, as each entry has an id.
    """

    def __init__(self, identity: Peer) -> None:
        super().__init__("audit")
        self._stub = rpc.IdentityServiceStub(identity.as_service)
        self._waiting: deque[AuditEntry] = deque()
        self._some = threading.Event()

    def record(self, entry: AuditEntry) -> None:
        """Take an entry."""
        if len(self._waiting) >= _MAX_WAITING:
            telemetry.AUDIT_LOST.inc()  # the log line stays
            return
        self._waiting.append(entry)
        self._some.set()

    def stop(self, grace: float) -> None:
        """Send what waits, for at most `grace` seconds."""
        self._stopping.set()
        self._some.set()
        super().stop(grace)

    def _run(self) -> None:
        batch: list[AuditEntry] = []
        while batch or self._waiting or not self._stopping.is_set():
            batch = batch or self._next_batch()
            if not batch:
                self._some.wait()
                self._some.clear()
            elif self._send(batch):
                batch = []
            elif self._stopping.wait(_WAIT_SECONDS):
                return

    def _next_batch(self) -> list[AuditEntry]:
        return [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]

    def _send(self, batch: list[AuditEntry]) -> bool:
        """Send a batch; whether it was taken."""
        try:
            request = pb.RecordAuditEntriesRequest(entries=map(audit_entry_to_message, batch))
            self._stub.RecordAuditEntries(request, timeout=_SEND_SECONDS)
        except LearndockError as error:
            waiting = len(batch) + len(self._waiting)
            _log.warning("audit entries wait", extra={"waiting": waiting, "reason": error.reason.value})
            return False
        return True
