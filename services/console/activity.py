"""What a dock has been doing: numbers for the charts of the admin's first page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from learndock.client.dock import Dock
from learndock.client.pages import SearchCounts
from learndock.client.values import Validation
from learndock.examination.report import ValidationState

DAYS = 14
DayPairs = Mapping[str, tuple[int, int]]
"""Two numbers by day, such as 01-31, oldest first."""

_PAGE_SIZE = 500
# Enough for two weeks of a busy dock, and bounded for a busier one.
_MOST_PAGES = 20


@dataclass(frozen=True)
class Activity:
    """Validations of the last days.

    Attributes
    ----------
    by_day
        Numbers of verified and of other ended validations, by day, oldest first.
    queued, running
        What waits and what is being done.
    """

    by_day: DayPairs
    queued: int
    running: int


def activity(dock: Dock) -> Activity:
    """The activity of all users' learnwares, as an admin sees it."""
    today = datetime.now(UTC)
    good: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    states: Counter[ValidationState] = Counter()
    for validation in _recent(dock, today - timedelta(days=DAYS)):
        states[validation.state] += 1
        if validation.state.ended:
            counter = good if validation.passed else bad
            counter[f"{validation.create_time.astimezone(UTC):%m-%d}"] += 1
    by_day = {day: (good[day], bad[day]) for day in _last_days(today)}
    return Activity(by_day, states[ValidationState.QUEUED], states[ValidationState.RUNNING])


def searches_by_day(counts: SearchCounts) -> DayPairs:
    """Searches with a specification, and with words alone, of the last days."""
    today = datetime.now(UTC)
    first = (today - timedelta(days=DAYS - 1)).date()
    known = {f"{each.day:%m-%d}": (each.by_specification, each.by_filter) for each in counts.days if each.day >= first}
    return {day: known.get(day, (0, 0)) for day in _last_days(today)}


def _last_days(today: datetime) -> list[str]:
    return [f"{today - timedelta(days=back):%m-%d}" for back in reversed(range(DAYS))]


def _recent(dock: Dock, since: datetime) -> Iterator[Validation]:
    token = ""
    for _ in range(_MOST_PAGES):
        page = dock.pages.validations(size=_PAGE_SIZE, token=token)
        for validation in page.items:
            if validation.create_time < since:
                return
            yield validation
        token = page.next_token
        if not token:
            return
