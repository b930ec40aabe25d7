"""Wakes those who wait: watchers for a resource to change, workers for work."""

from __future__ import annotations

import threading


class Changes:
    """A counter of changes that can be waited on."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Changes so far."""
        return self._count

    def tell(self) -> None:
        """Something changed."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Block until there were more than `seen` changes, at most `timeout` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > seen, timeout)
