"""Questions that come while others are worked on are worked on together, without waiting for more to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
import threading
from typing import Generic, TypeVar

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")


class Together(Generic[_Asked, _Answer]):
    """Answers one batch at a time; whoever comes meanwhile is in the next.

    Parameters
    ----------
    answer
        Answers a batch, in its order.
    most
        Largest batch.
    """

    def __init__(self, answer: Callable[[Sequence[_Asked]], Sequence[_Answer]], most: int) -> None:
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[_Asked, Future[_Answer]]] = []
        self._queue = threading.Lock()
        self._work = threading.Lock()

    def ask(self, asked: _Asked) -> _Answer:
        """The answer; raises what answering its batch raised."""
        future: Future[_Answer] = Future()
        with self._queue:
            self._waiting.append((asked, future))
        while not future.done():
            with self._work:
                if not future.done():
                    self._work_off()
        return future.result()

    def _work_off(self) -> None:
        with self._queue:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        try:
            answers = self._answer([asked for asked, _ in batch])
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)
