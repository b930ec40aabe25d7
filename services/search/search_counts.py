"""How many searches were answered, day by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
import json
from pathlib import Path
import socket
import threading
from typing import Self

from learndock.learnware import SemanticFilter
from learndock.serving.sql import now
from services.search.search import Question

DAYS = 90
"""How many days are remembered."""

_SAVE_PERIOD = timedelta(minutes=1)


@dataclass(frozen=True)
class DayCount:
    """Searches of a day: with a task's specification, and with words or other filters alone."""

    by_specification: int = 0
    by_filter: int = 0

    def with_one_more(self, question: Question) -> Self:
        """The same and a question."""
        if question.specification is not None or question.private is not None:
            return replace(self, by_specification=self.by_specification + 1)
        return replace(self, by_filter=self.by_filter + 1)


@dataclass(frozen=True)
class SearchCounts:
    """What a replica has counted.

    Attributes
    ----------
    since
        When it began.
    by_day
        Its days with searches, in UTC, oldest first; the last `DAYS` at most.
    """

    since: datetime
    by_day: Mapping[date, DayCount] = field(default_factory=dict)

    def with_one_more(self, question: Question, today: date) -> Self:
        """The same and a question of today."""
        counted = self.by_day.get(today, DayCount()).with_one_more(question)
        first = today - timedelta(days=DAYS - 1)
        kept = {day: count for day, count in self.by_day.items() if day >= first}
        return replace(self, by_day={**kept, today: counted})


class SearchCounter:
    """Counts the searches that this replica answered; safe to use from many threads.

    Parameters
    ----------
    path
        File where the counts are kept over a restart, saved once a minute and at the end; None keeps them in memory.
    clock
        Tells the time, aware.
    """

    replica = socket.gethostname()

    def __init__(self, path: Path | None = None, clock: Callable[[], datetime] = now) -> None:
        self._path = path
        self._clock = clock
        self._counts = _loaded(path) or SearchCounts(clock())
        self._saved_at = clock()
        self._lock = threading.Lock()

    @property
    def counts(self) -> SearchCounts:
        """What was counted."""
        return self._counts

    def count(self, question: Question) -> None:
        """Count a question that was answered; one without a task and a filter only lists, and is none."""
        if question.island is None and question.filter == SemanticFilter():
            return
        with self._lock:
            time = self._clock()
            self._counts = self._counts.with_one_more(question, time.astimezone(UTC).date())
            if time - self._saved_at >= _SAVE_PERIOD:
                self._save()
                self._saved_at = time

    def close(self) -> None:
        """Save the counts."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        with suppress(OSError):  # a full disk is no reason to refuse an answer
            self._write(self._path)

    def _write(self, path: Path) -> None:
        days = {f"{day}": [count.by_specification, count.by_filter] for day, count in self._counts.by_day.items()}
        beside = path.with_name(path.name + ".new")
        beside.write_text(json.dumps({"since": self._counts.since.isoformat(), "days": days}))
        beside.replace(path)


def _loaded(path: Path | None) -> SearchCounts | None:
    """Counts of a file; None where there is no sound one."""
    if path is None:
        return None
    try:
        document = json.loads(path.read_text())
        by_day = {date.fromisoformat(day): DayCount(*map(int, pair)) for day, pair in document["days"].items()}
        return SearchCounts(datetime.fromisoformat(document["since"]), by_day)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
