"""Reuses at work: each in a thread, watched by the page of whoever began it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
import logging
import secrets
import threading
import time

from learndock.client.values import Reuser
from learndock.errors import Internal, LearndockError, NotFound, Reason, ResourceExhausted
from learndock.learnware import SemanticSpecification
from learndock.reuse.prediction import Prediction

_log = logging.getLogger("learndock.console")


@dataclass(frozen=True)
class Answer:
    """What came of a reuse.

    Attributes
    ----------
    prediction
        The outputs.
    reuser
        Who answered, and how.
    semantic
        What the first member is for.
    desk_id
        Where the file of predictions lies.
    """

    prediction: Prediction
    reuser: Reuser
    semantic: SemanticSpecification
    desk_id: str


@dataclass(frozen=True)
class Work:
    """A reuse.

    Attributes
    ----------
    owner
        Who began it.
    file_name
        The rows' file as the visitor had it.
    began
        When, on the monotonic clock.
    phase, percent
        How far it is.
    answer, error
        One of the two when it has ended.
    """

    owner: str
    file_name: str
    began: float
    phase: str = ""
    percent: int = 0
    answer: Answer | None = None
    error: LearndockError | None = None

    @property
    def ended(self) -> bool:
        """Whether there is something to show."""
        return self.answer is not None or self.error is not None


Act = Callable[[Callable[[Reuser], None]], Answer]
"""Does the work; is given whom to tell the reuser's progress."""


class Predictions:
    """All reuses, as many at a time as the console may have.

    Parameters
    ----------
    most
        How many at a time.
    keep_seconds
        How long the result of one is remembered.
    """

    def __init__(self, most: int, keep_seconds: float) -> None:
        self._most = most
        self._keep_seconds = keep_seconds
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="reuse")
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}

    def begin(self, owner: str, file_name: str, act: Act) -> str:
        """Start one; its id.

        Raises
        ------
        ResourceExhausted
            As many as may be are at work.
        """
        work_id = secrets.token_hex(16)
        with self._lock:
            self._forget()
            if sum(not work.ended for work in self._work.values()) >= self._most:
                raise ResourceExhausted(
                    Reason.TOO_MANY_REQUESTS, "The console makes as many predictions as it can; try again soon."
                )
            self._work[work_id] = Work(owner, file_name, time.monotonic())
        self._pool.submit(self._run, work_id, act)
        return work_id

    def find(self, owner: str, work_id: str) -> Work:
        """How far one is.

        Raises
        ------
        NotFound
            The visitor has none by this id.
        """
        with self._lock:
            work = self._work.get(work_id)
        if work is None or work.owner != owner:
            raise NotFound(Reason.RESOURCE_UNKNOWN, "This prediction is no longer kept here; begin it again.")
        return work

    def close(self) -> None:
        """Begin no more; those at work end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, work_id: str, act: Act) -> None:
        try:
            answer = act(lambda reuser: self._tell(work_id, phase=reuser.phase, percent=reuser.percent))
            self._tell(work_id, answer=answer)
        except LearndockError as error:
            self._tell(work_id, error=error)
        except Exception:
            _log.exception("prediction_failed")
            self._tell(work_id, error=Internal(Reason.INTERNAL, "The console failed; its log tells how."))

    def _tell(self, work_id: str, **news: object) -> None:
        with self._lock:
            self._work[work_id] = replace(self._work[work_id], **news)  # type: ignore[arg-type]

    def _forget(self) -> None:
        now = time.monotonic()
        old = [key for key, work in self._work.items() if work.ended and now - work.began > self._keep_seconds]
        for key in old:
            del self._work[key]
