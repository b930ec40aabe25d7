"""Following a stream of changes that never ends, whatever happens to it."""

from __future__ import annotations

from abc import abstractmethod
import logging
from typing import Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential_jitter
from tenacity.nap import sleep_using_event

from learndock.serving.background import BackgroundWorker

# After a stream that ended well, and between tries after one that failed before it told anything.
_PAUSE_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0

_log = logging.getLogger("learndock.following")


class Stream(Protocol):
    """What can be given up from another thread."""

    def cancel(self) -> None:
        """End it; whoever reads it sees an error or the end."""


_Stream = TypeVar("_Stream", bound=Stream)


class StreamFollower(BackgroundWorker):
    """A worker that opens its stream again whenever it ends, and waits longer and longer while that fails."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._name = name
        self._stream: Stream | None = None

    def stop(self, grace: float) -> None:
        """Stop following."""
        self._stopping.set()
        if self._stream is not None:
            self._stream.cancel()
        super().stop(grace)

    def _opened(self, stream: _Stream) -> _Stream:
        """The stream, to be read from now on and given up by `stop`."""
        self._stream = stream
        if self._stopping.is_set():  # `stop` came before there was a stream to cancel
            stream.cancel()
        return stream

    @abstractmethod
    def _follow(self) -> None:
        """Open one stream with `_opened` and follow it to its end.

        Raises whatever ended it before it told anything; then waits grow.
        """

    def _run(self) -> None:
        while not self._stopping.is_set():
            Retrying(
                retry=retry_if_exception_type(Exception),
                wait=wait_exponential_jitter(multiplier=_PAUSE_SECONDS, max=_LONGEST_WAIT_SECONDS),
                stop=stop_when_event_set(self._stopping),
                sleep=sleep_using_event(self._stopping),
                before_sleep=self._log_failure,
                retry_error_callback=lambda _: None,
            )(self._follow)
            self._stopping.wait(_PAUSE_SECONDS)

    def _log_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        extra = {"worker": self._name, "error": repr(error), "attempt": state.attempt_number}
        _log.warning("following_failed", extra=extra)
