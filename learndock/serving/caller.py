"""The call that the current thread is serving: who calls, and how long there is.

Every RPC states it first thing in the thread that serves it, and nothing else runs in those threads.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
import math
from threading import Event
import time

import grpc

from learndock.account import ANONYMOUS, Principal
from learndock.errors import Cancelled, DeadlineExceeded, Reason, Unavailable

# What a unary call without a deadline is given, in seconds.
DEFAULT_DEADLINE = 30.0


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
    """

    principal: Principal = ANONYMOUS
    token: str = ""
    request_id: str = ""
    ends_at: float = math.inf
    context: grpc.ServicerContext | None = None
    stopping: Event | None = None


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


def check_active() -> None:
    """Raise when the call should end: its time is over, nobody waits for it, or (a stream) the server stops."""
    call = _call.get()
    if time.monotonic() >= call.ends_at:
        raise DeadlineExceeded(Reason.DEADLINE_EXCEEDED, "The time for the call ran out.")
    if call.context is not None and not call.context.is_active():
        raise Cancelled(Reason.CANCELLED, "The caller gave up.")
    if call.stopping is not None and call.stopping.is_set():
        raise Unavailable(Reason.SERVICE_UNAVAILABLE, "The service is stopping; go on with another.", retry_after=1.0)
