"""The call that the current thread is serving: who calls, and how long there is.

Every RPC states it first thing in the thread that serves it, and nothing else runs in those threads.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
import math
from threading import Event
import time

import grpc
from opentelemetry.context import Context

from learndock.account import ANONYMOUS, Principal
from learndock.errors import Cancelled, DeadlineExceeded, Reason, Unavailable

# What a unary call without a deadline is given, in seconds.
DEFAULT_DEADLINE = 30.0


class Standing:
    """Whether the credential of a long call still works: looked up again every few seconds.

    Parameters
    ----------
    authenticate
        Looks it up; raises `Unauthenticated` once it ended.
    """

    _SECONDS = 1.0

    def __init__(self, authenticate: Callable[[], object]) -> None:
        self._authenticate = authenticate
        self._looked = time.monotonic()

    def check(self) -> None:
        """Raise `Unauthenticated` if the credential no longer works; nothing while that cannot be told."""
        moment = time.monotonic()
        if moment - self._looked < self._SECONDS:
            return
        self._looked = moment
        with suppress(Unavailable, DeadlineExceeded):
            self._authenticate()


@dataclass(frozen=True)
class ServedCall:
    """A call being served.

    Attributes
    ----------
    principal
        Who calls.
    token
        The credential that came with the call; empty for an anonymous caller.
    request_id
        Identifies the call in logs, across services.
    ends_at
        Monotonic time of its deadline, infinite for a stream without one.
    context
        gRPC's own view of the call; None outside of a call.
    stopping
        Set when the server is told to stop, for a stream, which may go on for ever; None for a unary call.
    trace
        Trace that the call belongs to; None outside of a call.
    standing
        Whether the credential still works, for a stream; None for a unary call and for anonymous callers.
    """

    principal: Principal = ANONYMOUS
    token: str = ""
    request_id: str = ""
    ends_at: float = math.inf
    context: grpc.ServicerContext | None = None
    stopping: Event | None = None
    standing: Standing | None = None
    trace: Context | None = None


_call: ContextVar[ServedCall] = ContextVar("learndock_call", default=ServedCall())  # noqa: B039  # frozen


def enter(call: ServedCall) -> None:
    """State the call that this thread serves from now on."""
    _call.set(call)


def served() -> ServedCall:
    """The call that this thread serves."""
    return _call.get()


def current() -> Principal:
    """Who calls."""
    return _call.get().principal


def remaining_seconds() -> float:
    """Seconds until the deadline, possibly infinite, never negative."""
    return max(0.0, _call.get().ends_at - time.monotonic())


def check_standing() -> None:
    """Raise `Unauthenticated` when the credential of a stream was revoked meanwhile."""
    standing = _call.get().standing
    if standing is not None:
        standing.check()


def check_active() -> None:
    """Raise when the call should end: at its deadline, unawaited, or (a stream) revoked or at the server's stop."""
    call = _call.get()
    if time.monotonic() >= call.ends_at:
        raise DeadlineExceeded(Reason.DEADLINE_EXCEEDED, "The time for the call ran out.")
    if call.context is not None and not call.context.is_active():
        raise Cancelled(Reason.CANCELLED, "The caller gave up.")
    if call.stopping is not None and call.stopping.is_set():
        raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The service is stopping; go on with another.", retry_after=1.0)
    check_standing()
