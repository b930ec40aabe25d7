"""Searches are counted day by day, and the counts outlive a restart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
import threading

import numpy as np
import pytest

from learndock.learnware import SemanticFilter
from services.search.search_counts import DAYS, DayCount, SearchCounter
from tests.support.search import question, specification

WORDS = question(None, filter_=SemanticFilter(text="wine"))
TASK = question(specification(np.random.default_rng(0)))
NEW_YEAR = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A time that the test moves."""

    time: datetime = NEW_YEAR

    def __call__(self) -> datetime:
        return self.time


def test_a_day_tells_apart_how_was_searched() -> None:
    counter = SearchCounter(clock=Clock())
    for asked in (WORDS, TASK, WORDS, question(None)):  # the last one only lists
        counter.count(asked)
    assert counter.counts.since == NEW_YEAR
    assert counter.counts.by_day == {date(2026, 1, 1): DayCount(by_specification=1, by_filter=2)}


def test_days_follow_each_other_and_old_ones_are_forgotten() -> None:
    clock = Clock()
    counter = SearchCounter(clock=clock)
    for _ in range(DAYS + 3):
        counter.count(WORDS)
        clock.time += timedelta(days=1)
    days = list(counter.counts.by_day)
    assert days == [date(2026, 1, 4) + timedelta(days=n) for n in range(DAYS)]


def test_counts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "searches.json"
    counter = SearchCounter(path, Clock())
    counter.count(TASK)
    counter.close()
    later = SearchCounter(path, Clock(NEW_YEAR + timedelta(days=1)))
    assert later.counts == counter.counts
    later.count(TASK)
    assert list(later.counts.by_day.values()) == [DayCount(1), DayCount(1)]


def test_counts_are_saved_while_it_runs(tmp_path: Path) -> None:
    path, clock = tmp_path / "searches.json", Clock()
    counter = SearchCounter(path, clock)
    counter.count(WORDS)
    assert not path.exists()
    clock.time += timedelta(minutes=2)
    counter.count(WORDS)
    assert SearchCounter(path, clock).counts == counter.counts


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"since": 1, "days": {}}', '{"since": "x", "days": {"x": [1]}}'])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "searches.json"
    path.write_text(content)
    counts = SearchCounter(path, Clock()).counts
    assert (counts.since, dict(counts.by_day)) == (NEW_YEAR, {})


def test_a_search_is_answered_though_its_count_cannot_be_kept(tmp_path: Path) -> None:
    clock = Clock()
    counter = SearchCounter(tmp_path / "nowhere" / "searches.json", clock)
    clock.time += timedelta(minutes=2)
    counter.count(WORDS)
    assert len(counter.counts.by_day) == 1


def test_none_is_lost_among_threads() -> None:
    counter = SearchCounter(clock=Clock())
    threads = [threading.Thread(target=lambda: [counter.count(WORDS) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.counts.by_day[NEW_YEAR.date()].by_filter == 2000
