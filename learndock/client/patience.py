"""How often a stream may break before it is given up."""

from __future__ import annotations

import time

from learndock.errors import Cancelled, DeadlineExceeded, LearndockError, OutOfRange, ResourceExhausted, Unavailable

BREAKS = (Unavailable, DeadlineExceeded, Cancelled, OutOfRange, ResourceExhausted)
"""Errors after which a stream can be taken up again where it ended."""

_MAX_STALLS = 8
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


class Patience:
    """Bears breaks as long as something moves between them; about 25 s of standstill at most."""

    def __init__(self) -> None:
        self._position = -1
        self._stalls = 0

    def bear(self, error: LearndockError, position: int) -> None:
        """Wait after a break at `position`, or raise `error` when too many came at the same place."""
        self._stalls = self._stalls + 1 if position == self._position else 1
        self._position = position
        if self._stalls >= _MAX_STALLS:
            raise error
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (self._stalls - 1))
        time.sleep(max(pause, error.retry_after or 0.0))
