"""Trying again while a service is away, as a user would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from learndock.errors import Unavailable

_Result = TypeVar("_Result")
_GIVE_UP_SECONDS = 120
_PAUSE_SECONDS = 0.2


def patiently(act: Callable[[], _Result]) -> _Result:
    """Result of `act`, tried again for as long as something cannot be reached."""
    retrying = Retrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_delay(_GIVE_UP_SECONDS),
        wait=wait_fixed(_PAUSE_SECONDS),
        reraise=True,
    )
    return retrying(act)


def eventually(is_so: Callable[[], object]) -> bool:
    """Whether something comes true before patience ends."""
    waiting = Retrying(
        retry=retry_if_result(lambda result: not result),
        stop=stop_after_delay(_GIVE_UP_SECONDS),
        wait=wait_fixed(_PAUSE_SECONDS / 4),
        retry_error_callback=lambda _: False,
    )
    return bool(waiting(is_so))
