"""Trying again while a service is away, as a user would."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

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
