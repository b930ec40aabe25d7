"""Workers of one thread: what runs beside a service's RPCs from its start to its end."""

from __future__ import annotations

from abc import ABC, abstractmethod
import threading


class BackgroundWorker(ABC):
    """A `Worker` whose work is one method, in a thread of its own that the process does not wait for.

    Parameters
    ----------
    name
        Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, grace: float) -> None:
        """Ask the work to end, and wait for that at most `grace` seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(grace)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stopping` is set."""
